// One field of a form: label, input, what is wrong with it, and what to know about it.
import { h } from "vue";
import { icon } from "/assets/table_parts.js";

const ANOTHER = 250; // milliseconds without typing after which the server hears of it

export default {
  props: {
    kind: String, label: String, value: [String, Number, Boolean], choices: Array, wrong: String, help: String,
    attributes: Object, options: Array, unlabelled: Boolean,
  },
  emits: ["typed", "picked"],
  data: () => ({ text: "", place: -1, waiting: null }),
  created() {
    this.text = this.value;
  },
  watch: {
    value(now) {
      this.text = now;
    },
    options() {
      this.place = -1;
    },
  },
  methods: {
    said(value, wait) {
      this.text = value;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(this.left, wait);
    },
    left() {
      if (this.waiting === null) return; // the server has heard of it
      clearTimeout(this.waiting);
      this.waiting = null;
      this.$emit("typed", this.text);
    },
    pick(option) {
      clearTimeout(this.waiting); // what was typed to find it is no longer asked for
      this.waiting = null;
      this.text = option.text;
      this.$emit("picked", option.value);
    },
    keys(event) {
      const options = this.options ?? [];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && options.length) this.place = (this.place + step + options.length) % options.length;
      else if (event.key === "Enter" && this.place >= 0) this.pick(options[this.place]);
      else return;
      event.preventDefault();
    },
    control(id) {
      const { kind, attributes } = this;
      const described = [this.wrong && `${id}-wrong`, this.help && `${id}-help`].filter(Boolean).join(" ") || undefined;
      const common = { id, ...attributes, "aria-describedby": described, "aria-invalid": this.wrong ? "true" : undefined };
      if (this.unlabelled) common["aria-label"] = this.label;
      if (kind === "select") {
        const choices = this.choices.map((choice) => h("option", { value: choice.value, key: choice.value }, choice.text));
        return h("select", { ...common, value: this.text, onChange: (event) => this.said(event.target.value, 0) }, choices);
      }
      if (kind === "textarea") {
        return h("textarea", { ...common, value: this.text, onChange: this.left, onInput: (event) => this.said(event.target.value, ANOTHER) });
      }
      const finder = this.options && {
        role: "combobox", "aria-expanded": String(this.options.length > 0), "aria-controls": `${id}-options`,
        "aria-autocomplete": "list", autocomplete: "off", onKeydown: this.keys,
        "aria-activedescendant": this.place >= 0 ? `${id}-${this.place}` : undefined,
      };
      return h("input", { ...common, ...finder, type: kind, value: this.text, onChange: this.left, onInput: (event) => this.said(event.target.value, ANOTHER) });
    },
    found(id) {
      if (!this.options?.length) return null;
      // Picked as the button goes down: until it is up another answer may have put another option there.
      const picking = (option) => ({
        onMousedown: (event) => (event.preventDefault(), this.pick(option)),
        onClick: (event) => event.detail || this.pick(option), // a click without a mouse
      });
      const items = this.options.map((option, at) =>
        h("li", { id: `${id}-${at}`, key: option.value, role: "option", "aria-selected": String(at === this.place), ...picking(option) }, [
          h("span", option.text), option.more && h("span", { class: "quiet small" }, option.more),
        ]));
      return h("ul", { class: "options", id: `${id}-options`, role: "listbox", "aria-label": this.label }, items);
    },
  },
  render() {
    const id = `field-${this.$.uid}`;
    if (this.kind === "checkbox") {
      const box = h("input", { id, type: "checkbox", checked: this.text, onChange: (event) => this.said(event.target.checked, 0) });
      return h("div", { class: "field" }, h("label", { for: id, class: "row" }, [box, this.label]));
    }
    return h("div", { class: "field" }, [
      !this.unlabelled && h("label", { for: id }, this.label), this.control(id), this.found(id),
      this.wrong && h("span", { class: "wrong", id: `${id}-wrong`, role: "alert" }, [icon("warning"), " ", this.wrong]),
      this.help && h("span", { class: "help", id: `${id}-help` }, this.help),
    ]);
  },
};
