// A modal dialog of the browser's own: it keeps the focus inside, closes on Escape, and gives the focus back.
import { h } from "vue";

export default {
  props: { title: String },
  emits: ["shut"],
  mounted() {
    this.before = document.activeElement;
    this.$el.showModal();
  },
  beforeUnmount() {
    if (this.$el.open) this.$el.close();
    this.before?.focus?.();
  },
  render() {
    const shut = (event) => {
      event.preventDefault();
      this.$emit("shut");
    };
    const enter = (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.defaultPrevented) return;
      event.preventDefault();
      event.target.blur(); // what was typed is told first
      this.$el.querySelector(".dialog-foot button:last-child")?.click();
    };
    return h("dialog", { class: "dialog", "aria-label": this.title, onCancel: shut, onKeydown: enter }, [
      h("div", { class: "dialog-head" }, h("h2", this.title)),
      h("div", { class: "dialog-body" }, this.$slots.default?.()),
      h("div", { class: "dialog-foot" }, this.$slots.foot?.()),
    ]);
  },
};
