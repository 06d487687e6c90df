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
    this.$el.close(); // also where the browser has hidden it already: it lets go of the page
    this.before?.focus?.();
  },
  render() {
    const shut = (event) => {
      if (event.target !== this.$el) return; // a field inside cancels too
      event.preventDefault();
      this.$emit("shut");
    };
    const closed = (event) => {
      if (event.target === this.$el && this.$el.isConnected) this.$emit("shut"); // the second Escape cannot be prevented
    };
    const enter = (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.defaultPrevented) return;
      event.preventDefault();
      event.target.blur(); // what was typed is told first
      this.$el.querySelector(".dialog-foot button:last-child")?.click();
    };
    return h("dialog", { class: "dialog", "aria-label": this.title, onCancel: shut, onClose: closed, onKeydown: enter }, [
      h("div", { class: "dialog-head" }, h("h2", this.title)),
      h("div", { class: "dialog-body" }, this.$slots.default?.()),
      h("div", { class: "dialog-foot" }, this.$slots.foot?.()),
    ]);
  },
};
