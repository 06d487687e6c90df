// A link to a file; a fresh one is fetched by itself, once.
import { h } from "vue";

export default {
  props: { href: String, text: String, fresh: Boolean },
  mounted() {
    if (this.fresh) this.$el.click();
  },
  render() {
    return h("a", { class: "button", href: this.href, download: "" }, this.text);
  },
};
