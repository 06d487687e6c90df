// The table of every page: columns that sort, group and hide; rows that are ticked and opened; pages by key. It holds
// no rows but those of the page in sight, and tells the server what is wanted (`wish`, `tick`, `show`).
import { h } from "vue";
import { icon, cell, headCell, menu, pager, sortSelect } from "/assets/table_parts.js";
import { HEAD_STOPS, kept, keep, resized } from "/assets/table_habits.js";

// What of a page's address makes a step that Back undoes: all but what is typed letter by letter, and what runs.
function beyondTyping(search) {
  const query = new URLSearchParams(search);
  for (const name of ["q", "operation", "hide"]) query.delete(name);
  return query.toString();
}

export default {
  props: {
    columns: Array, rows: Array, groups: Array, view: Object, count: Object, ticked: Array, everything: Boolean,
    selectable: Boolean, takesAll: Boolean, url: String, words: Object, busy: Boolean, caption: String, hint: String, user: String,
  },
  emits: ["wish", "tick", "show", "group"],
  data: () => ({ current: 0, search: "", marked: new Set(), anchor: null, headAt: 0, widths: {}, compact: false }),
  created() {
    this.widths = kept(this.user, `widths ${this.place}`, {});
    this.compact = kept(this.user, "compact rows", false);
    this.search = this.view.search;
    this.marked = new Set(this.ticked);
  },
  mounted() {
    addEventListener("popstate", this.back);
    const names = kept(this.user, this.place, null);
    const hidden = names && names.filter((name) => this.columns.some((column) => column.name === name));
    this.rove();
    if (hidden && !location.search.includes("hide=") && String(hidden) !== String(this.view.hidden)) this.wish({ hidden });
  },
  updated() {
    this.rove();
  },
  unmounted() {
    removeEventListener("popstate", this.back);
  },
  watch: {
    url(address) {
      if (location.pathname + location.search === address) return;
      const step = beyondTyping(location.search) !== beyondTyping(new URL(address, location).search);
      history[step ? "pushState" : "replaceState"](null, "", address);
    },
    ticked(ids) {
      this.marked = new Set(ids);
    },
    "view.search"(text) {
      if (document.activeElement !== this.$refs.search) this.search = text;
    },
    "view.opened"(now, before) {
      const place = now ? this.$el.parentElement.querySelector(".panel") : this.rowOf(before);
      this.$nextTick(() => place?.focus({ preventScroll: Boolean(now) }));
    },
    rows() {
      this.current = Math.min(this.current, Math.max(0, this.items.length - 1));
    },
  },
  computed: {
    place() { // where this browser keeps for each user which columns are hidden
      return `columns ${location.pathname.split("/")[1]} ${this.columns.map((column) => column.name).join(" ")}`;
    },
    visible() {
      return this.columns.filter((column) => !this.view.hidden.includes(column.name));
    },
    items() {
      return this.groups ? this.groups.flatMap((group) => group.rows ?? []) : this.rows;
    },
    pageTicked() {
      return this.items.length > 0 && this.items.every((row) => this.marked.has(row.id));
    },
    howMany() {
      return this.everything ? Math.max(this.count.total, this.marked.size) : this.marked.size;
    },
  },
  methods: {
    back() {
      location.reload(); // the address of the page says all of the view
    },
    wish(change) {
      if (change.hidden) keep(this.user, this.place, [...change.hidden].sort());
      this.$emit("wish", change);
    },
    type(event) {
      this.search = event.target.value;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.wish({ search: this.search }), 200);
    },
    tick(row, event) {
      const on = !this.marked.has(row.id);
      const ids = event?.shiftKey && this.anchor ? this.between(this.anchor, row.id) : [row.id];
      for (const id of ids) on ? this.marked.add(id) : this.marked.delete(id);
      this.anchor = row.id;
      this.told(false);
    },
    between(one, other) {
      const places = [one, other].map((id) => this.items.findIndex((row) => row.id === id)).sort((a, b) => a - b);
      return places[0] < 0 ? [other] : this.items.slice(places[0], places[1] + 1).map((row) => row.id);
    },
    tickPage() {
      const on = !this.pageTicked;
      for (const row of this.items) on ? this.marked.add(row.id) : this.marked.delete(row.id);
      this.told(false);
    },
    told(everything) {
      this.marked = new Set(this.marked);
      this.$emit("tick", { ids: [...this.marked], everything });
    },
    clear() {
      this.marked = new Set();
      this.told(false);
    },
    sort(name) {
      const again = this.view.sort === name;
      this.wish({ sort: name, descending: again ? !this.view.descending : false });
    },
    open(row) {
      this.current = this.items.indexOf(row);
      this.$emit("show", row.id);
    },
    width(column, step) {
      const cell = this.$el.querySelector(`th[data-column="${CSS.escape(column.name)}"]`);
      this.widths = { ...this.widths, [column.name]: step === null ? undefined : resized(cell.offsetWidth, step) };
      keep(this.user, `widths ${this.place}`, this.widths);
    },
    density() {
      this.compact = !this.compact;
      keep(this.user, "compact rows", this.compact);
    },
    rove() { // the head is one stop of the Tab key; arrows go from one of its controls to the next
      this.headStops().forEach((stop, at) => (stop.tabIndex = at === this.headAt ? 0 : -1));
    },
    headStops() {
      const stops = [...this.$el.querySelectorAll(HEAD_STOPS)];
      this.headAt = Math.min(this.headAt, Math.max(0, stops.length - 1));
      return stops;
    },
    headKeys(event) {
      const stops = this.headStops(), at = stops.indexOf(event.target);
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[event.key];
      if (at < 0) return;
      if (step) {
        this.headAt = Math.max(0, Math.min(stops.length - 1, at + step));
        this.rove();
        stops[this.headAt].focus();
      } else if (event.key === "ArrowDown" && event.target.tagName !== "SUMMARY") this.focusRow(0);
      else return;
      event.preventDefault();
    },
    rowOf(id) {
      return this.$el.querySelector(`tr.item[data-id="${CSS.escape(id ?? "")}"]`);
    },
    focusRow(place) {
      this.current = Math.max(0, Math.min(this.items.length - 1, place));
      this.$nextTick(() => this.$el.querySelector("tr.item[tabindex='0']")?.focus());
    },
    keys(event, row) {
      if (event.target.closest("button, input, a, summary")) return;
      const step = { ArrowDown: 1, ArrowUp: -1, Home: -1e9, End: 1e9 }[event.key];
      if (event.key === "ArrowUp" && this.items.indexOf(row) === 0) this.headStops()[this.headAt]?.focus();
      else if (step) this.focusRow(this.items.indexOf(row) + step);
      else if (event.key === " " && this.selectable) this.tick(row, event);
      else if (event.key === "Enter") this.open(row);
      else if (event.key === "Escape") this.$emit("show", "");
      else if (event.key === "a" && (event.ctrlKey || event.metaKey) && this.selectable) this.tickPage();
      else return;
      event.preventDefault();
    },
    toolRow() {
      const { words } = this;
      const columns = this.columns.map((column) => {
        const on = !this.view.hidden.includes(column.name);
        const act = () => this.wish({ hidden: [...this.view.hidden.filter((n) => n !== column.name), ...(on ? [column.name] : [])] });
        const mark = h("input", { type: "checkbox", checked: on, onChange: act, "aria-label": column.title });
        return h("label", { class: "menu-item", key: column.name }, [mark, column.title]);
      });
      const dense = h("input", { type: "checkbox", checked: this.compact, onChange: this.density, "aria-label": words.compact });
      columns.push(h("div", { class: "menu-line" }), h("label", { class: "menu-item" }, [dense, words.compact]));
      return h("div", { class: "tools" }, [
        words.search && h("div", { class: "search", role: "search" }, [
          icon("search"),
          h("input", {
            ref: "search", type: "search", value: this.search, placeholder: words.search, "aria-label": words.search, title: words.searchHelp || undefined,
            onInput: this.type,
          }),
        ]),
        this.$slots.filters?.(),
        h("span", { class: "grow" }),
        this.view.group &&
          h("button", { class: "button", onClick: () => this.wish({ group: "" }) }, [icon("group"), words.ungroup]),
        sortSelect(this.visible, this.view, words, this.wish), menu(words.columns, "columns", columns),
      ]);
    },
    tickedRow() {
      if (!this.selectable || this.howMany === 0) return null;
      const more = this.takesAll && !this.everything && this.pageTicked && (this.count.more || this.count.back);
      return h("div", { class: "ticked-bar", role: "status" }, [
        h("span", this.everything ? this.count.all : this.words.ticked.replace("{n}", this.howMany.toLocaleString(document.documentElement.lang))),
        more && h("button", { class: "link", onClick: () => this.told(true) }, this.count.everything),
        this.$slots.quick?.(), h("span", { class: "grow" }),
        h("button", { class: "link", onClick: this.clear }, this.words.none),
      ]);
    },
    head() {
      const all = h("th", { class: "tick", scope: "col", role: "columnheader" }, [
        h("input", {
          type: "checkbox", checked: this.everything || this.pageTicked, "aria-label": this.words.tickPage,
          onChange: this.tickPage,
        }),
      ]);
      const heads = this.visible.map((column) =>
        headCell(column, this.view, this.words, this.sort, this.wish, { px: this.widths[column.name], set: (step) => this.width(column, step) }));
      const focused = (event) => {
        const at = this.headStops().indexOf(event.target);
        if (at >= 0) this.headAt = at;
      };
      return h("thead", { role: "rowgroup", onKeydown: this.headKeys, onFocusin: focused }, h("tr", { role: "row" }, [this.selectable && all, ...heads]));
    },
    row(row) {
      const on = this.everything || this.marked.has(row.id);
      const place = this.items.indexOf(row);
      const mark = h("td", { class: "tick", role: "cell", onClick: (event) => event.stopPropagation() }, [
        h("input", {
          type: "checkbox", tabindex: -1, checked: on, disabled: this.everything, "aria-label": `${this.words.tick} ${row.name}`,
          onClick: (event) => this.tick(row, event),
        }),
      ]);
      const cells = this.visible.map((column, at) => cell(column, row.cells[column.name], at, place === this.current ? 0 : -1, this.widths[column.name]));
      const props = {
        key: row.id, role: "row", "data-id": row.id, tabindex: place === this.current ? 0 : -1,
        "aria-selected": this.selectable ? String(on) : undefined,
        class: ["item", { current: row.id === this.view.opened }],
        onClick: (event) => event.target.closest("a, input, button") || this.open(row),
        onKeydown: (event) => this.keys(event, row), onFocus: () => (this.current = place),
      };
      return h("tr", props, [this.selectable && mark, ...cells]);
    },
    group(group) {
      const width = this.visible.length + (this.selectable ? 1 : 0);
      const open = group.rows !== null;
      const title = [h("span", group.title), h("b", group.count)];
      const button = group.value === null ? h("span", { class: "group-none" }, title) : h("button", { "aria-expanded": String(open), onClick: () => this.$emit("group", group.value) }, [
        icon(open ? "down" : "right"), ...title,
      ]);
      const all = group.value !== null && this.selectable && this.takesAll && h("button", {
        class: "link", "aria-label": `${this.words.tickGroup}: ${group.title}`, onClick: () => this.wish({ only: group.value, tick: true }),
      }, this.words.tickGroup);
      const first = h("tr", { class: "group-row", role: "row", key: `g:${group.value}` }, h("td", { colspan: width, role: "cell" }, h("div", { class: "group-head" }, [button, all])));
      const rest = group.more && h("tr", { class: "more-row", role: "row", key: `m:${group.value}` }, h("td", { colspan: width, role: "cell" }, [
        h("button", { class: "link", onClick: () => this.wish({ only: group.value }) }, this.words.wholeGroup),
      ]));
      return [first, ...(group.rows ?? []).map(this.row), rest];
    },
    body() {
      const rows = this.groups ? this.groups.flatMap(this.group) : this.rows.map(this.row);
      return h("tbody", { role: "rowgroup" }, rows);
    },
  },
  render() {
    const nothing = (this.groups ?? this.rows).length === 0;
    const table = h("table", { role: "table", "aria-busy": String(this.busy), class: { busy: this.busy } }, [
      h("caption", { class: "sr" }, this.caption), this.head(), this.body(),
    ]);
    const foot = h("div", { class: "foot" }, [
      this.$slots.actions?.(), this.hint && h("span", { class: "small quiet" }, this.hint), h("span", { class: "grow" }), pager(this.count, this.words, this.wish),
    ]);
    return h("div", { class: ["sheet", { "no-ticks": !this.selectable, compact: this.compact }] }, [
      this.toolRow(), this.$slots.narrowed?.(), this.tickedRow(),
      h("div", { class: "scroller" }, nothing && !this.busy ? this.$slots.empty?.() : table), foot,
    ]);
  },
};
