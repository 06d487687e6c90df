// A field for a file that stays in the browser until it is sent, as it is, to a route of the console.
import { h } from "vue";
import { icon } from "/assets/table_parts.js";

export default {
  props: { label: String, help: String, accept: String, target: String, wrong: String },
  emits: ["chosen", "answered"],
  watch: {
    target(address) {
      if (address) this.send(address);
    },
  },
  methods: {
    async send(address) {
      const file = this.$el.querySelector("input").files[0];
      const answer = await fetch(address, { method: "POST", body: file }).catch(() => null);
      const told = await answer?.json().catch(() => null);
      this.$emit("answered", { status: answer?.status ?? 503, told });
    },
  },
  render() {
    const id = `upload-${this.$.uid}`;
    const described = [this.wrong && `${id}-wrong`, `${id}-help`].filter(Boolean).join(" ");
    const chosen = (event) => this.$emit("chosen", event.target.files[0]?.name ?? "");
    return h("div", { class: "field" }, [
      h("label", { for: id }, this.label),
      h("input", { id, type: "file", accept: this.accept, "aria-describedby": described, "aria-invalid": this.wrong ? "true" : undefined, onChange: chosen }),
      this.wrong && h("span", { class: "wrong", id: `${id}-wrong`, role: "alert" }, [icon("warning"), " ", this.wrong]),
      h("span", { class: "help", id: `${id}-help` }, this.help),
    ]);
  },
};
