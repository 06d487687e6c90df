// What the table is drawn of: plain functions that return nodes.
import { h } from "vue";
import { grip, styled } from "/assets/table_habits.js";

const STEP = 40; // pixels by which the menu of a column makes it wider or narrower

export function icon(name, classes = "") {
  return h("svg", { class: `icon ${classes}`, "aria-hidden": "true" }, h("use", { href: `/assets/icons.svg#${name}` }));
}

export function menu(title, picture, items, classes = "") {
  return h("details", { class: `menu ${classes}` }, [
    h("summary", [icon(picture), title]), h("div", { class: "menu-box menu-list" }, items),
  ]);
}

function close(event) {
  event.target.closest("details").open = false;
}

function item(text, picture, act) {
  const onClick = (event) => { close(event); act(); };
  return h("button", { class: "menu-item", onClick }, [icon(picture), text]);
}

export function headCell(column, view, words, sort, wish, width) {
  const sorted = view.sort === column.name;
  const items = [
    column.sort && item(words.ascending, "up", () => wish({ sort: column.name, descending: false })),
    column.sort && item(words.descending, "down", () => wish({ sort: column.name, descending: true })),
    column.group && item(column.groupBy, "group", () => wish({ group: column.group })),
    item(words.wider, "right", () => width.set(STEP)),
    item(words.narrower, "left", () => width.set(-STEP)),
    item(words.hide, "close", () => wish({ hidden: [...view.hidden, column.name] })),
  ];
  const title = column.sort
    ? h("button", { onClick: () => sort(column.name) }, [column.title, sorted && icon(view.descending ? "down" : "up")])
    : h("span", { class: "plain-head" }, column.title);
  const more = h("details", { class: "menu" }, [
    h("summary", { "aria-label": words.columnMenu.replace("{column}", column.title) }, icon("down")),
    h("div", { class: "menu-box menu-list" }, items),
  ]);
  const order = sorted ? (view.descending ? "descending" : "ascending") : undefined;
  const props = {
    key: column.name, scope: "col", role: "columnheader", "aria-sort": order, class: column.kind, style: styled(width.px), "data-column": column.name,
  };
  return h("th", props, [h("div", { class: "head" }, [title, more]), h("span", grip(width.set))]);
}

// Where there is no room for headings, the order is chosen from a list.
export function sortSelect(columns, view, words, wish) {
  const options = columns.filter((column) => column.sort).flatMap((column) =>
    [false, true].map((descending) => h("option", { value: `${descending ? "-" : ""}${column.name}` }, `${column.title} ${descending ? "↓" : "↑"}`)));
  const chosen = (event) => {
    const value = event.target.value;
    wish({ sort: value.replace(/^-/, ""), descending: value.startsWith("-") });
  };
  const props = { class: "narrow-sort", "aria-label": words.sortBy, value: `${view.descending ? "-" : ""}${view.sort}`, onChange: chosen };
  return options.length ? h("select", props, options) : null;
}

function bar(content) {
  const parts = content.parts.filter((part) => part.share > 0);
  const pieces = parts.map((part) => h("i", { class: part.kind, style: { width: `${part.share * 100}%` } }));
  return h("span", { class: "bar", role: "img", "aria-label": content.title, title: content.title }, pieces);
}

function content(value, tab) {
  const text = value.tone ? h("span", { class: `badge ${value.tone}` }, value.text) : value.text;
  const shown = value.href ? h("a", { href: value.href, tabindex: tab }, text) : text;
  const warning = value.warning && h("span", { title: value.warning }, [icon("warning", "warn-icon"), h("span", { class: "sr" }, value.warning)]);
  return [warning, shown, value.sub && h("span", { class: "sub" }, value.sub)];
}

export function cell(column, value, at, tab, px) {
  const classes = [column.kind, { first: at === 0, blank: !value?.text && !value?.parts }];
  const props = { key: column.name, role: "cell", class: classes, "data-label": column.title, title: value?.title, style: styled(px) };
  if (!value) return h("td", props);
  if (value.parts) return h("td", { ...props, title: undefined }, bar(value));
  if (value.rate) return h("td", props, h("span", { class: `rate ${value.rate}` }, value.text));
  return h("td", props, content(value, tab));
}

export function pager(count, words, wish) {
  return h("nav", { class: "pager", "aria-label": words.pages }, [
    h("span", { class: "small quiet", role: "status" }, count.text),
    h("button", { class: "button plain", disabled: !count.back, "aria-label": words.previous, title: words.previous, onClick: () => wish({ page: -1 }) }, icon("left")),
    h("button", { class: "button plain", disabled: !count.more, "aria-label": words.next, title: words.next, onClick: () => wish({ page: 1 }) }, icon("right")),
  ]);
}
