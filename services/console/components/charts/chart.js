// A chart drawn by Apache ECharts, in the page's own colours; what is clicked is told to the server.
import { h } from "vue";
import { echarts } from "nicegui-echart";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Colours are written as `--name` in the options, so that they follow the theme.
function painted(value) {
  if (typeof value === "string" && value.startsWith("--")) return token(value.slice(2));
  if (Array.isArray(value)) return value.map(painted);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, painted(inner)]));
  }
  return value;
}

export default {
  props: { options: Object, label: String, csv: String, file: String, words: Object },
  emits: ["picked"],
  mounted() {
    this.chart = echarts.init(this.$refs.drawn, null, { renderer: "svg" });
    this.chart.on("click", (event) => this.$emit("picked", { series: event.seriesId, name: event.name, at: event.dataIndex }));
    this.watcher = new ResizeObserver(() => this.chart.resize());
    this.watcher.observe(this.$refs.drawn);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.draw);
    this.draw();
  },
  beforeUnmount() {
    this.scheme.removeEventListener("change", this.draw);
    this.watcher.disconnect();
    this.chart.dispose();
  },
  watch: { options: "draw" },
  methods: {
    save(href, ending) {
      const link = document.createElement("a");
      link.href = href;
      link.download = `${this.file}.${ending}`;
      link.click();
    },
    picture() {
      const size = { width: this.chart.getWidth(), height: this.chart.getHeight() };
      const copy = echarts.init(document.createElement("div"), null, { renderer: "canvas", ...size });
      copy.setOption({ ...this.chart.getOption(), animation: false });
      this.save(copy.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: token("surface") }), "png");
      copy.dispose();
    },
    table() {
      const url = URL.createObjectURL(new Blob([this.csv], { type: "text/csv;charset=utf-8" }));
      this.save(url, "csv");
      URL.revokeObjectURL(url);
    },
    draw() {
      const text = { color: token("quiet"), fontFamily: getComputedStyle(document.body).fontFamily };
      const { unit, ...options } = painted(this.options);
      options.yAxis.axisLabel.formatter = (value) => value.toLocaleString(document.documentElement.lang) + unit;
      this.chart.setOption({ animation: false, textStyle: text, ...options }, true);
    },
  },
  render() {
    const button = (text, act) => h("button", { class: "link small", type: "button", onClick: act }, text);
    return h("div", [
      h("div", { ref: "drawn", class: "chart", role: "img", "aria-label": this.label }),
      h("div", { class: "row" }, [button(this.words.picture, this.picture), button(this.words.csv, this.table)]),
    ]);
  },
};
