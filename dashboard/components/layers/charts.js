// Charts of one panel: each layer's share of a method's map, and entropy and distance of every head.

const MARGIN = { left: 40, right: 10, top: 10, bottom: 24 };
const CHART_HEIGHT = 170;

// A plot with layers along x. parts(x, y): its marks.
function plotOf(panel, width, high, label, parts) {
  const inner = { width: Math.max(width - MARGIN.left - MARGIN.right, 1), height: CHART_HEIGHT - MARGIN.top - MARGIN.bottom };
  const step = inner.width / depthOf(panel);
  const x = (block) => MARGIN.left + (block + 0.5) * step;
  const y = (value) => MARGIN.top + inner.height * (1 - value / (high || 1));
  const axis = ticksOf(0, high).map((value) => drawn("g", { class: "tick" },
    drawn("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
    drawn("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(Number(value.toPrecision(3))))));
  const every = Math.ceil(22 / step);
  const names = Array.from({ length: depthOf(panel) }, (_, b) => b).filter((b) => b % every === 0 || b === depthOf(panel) - 1)
    .map((b) => drawn("text", { class: "below", x: x(b), y: CHART_HEIGHT - 7, "text-anchor": "middle" }, String(b + 1)));
  const band = drawn("rect", { class: "band", y: MARGIN.top, height: inner.height, width: step });
  const svg = drawn("svg", { width, height: CHART_HEIGHT, role: "group", "aria-label": label }, band, ...axis, ...names,
    ...parts(x, y, step));
  svg.mark = (block) => band.setAttribute("x", x(block) - step / 2);
  return svg;
}

function card(title, help, ...children) {
  return make("div", { class: "card" }, make("h4", { title: help }, title), ...children);
}

// The end of an axis: the same in panels that stand beside each other, so that their charts compare.
const endOf = (panels, valuesOf, least = 0) => 1.08 * Math.max(least, ...panels.flatMap((panel) => Array.from(valuesOf(panel))));

// Every head a point; one that is chosen opens its head. actions.open(layer, head)
function scatterOf(panel, panels, width, measure, title, unit, actions) {
  const { values } = panel[measure];
  const heads = headsOf(panel);
  const high = endOf(panels, (one) => one[measure].values);
  panel.points[measure] = [];
  const svg = plotOf(panel, width, high, `${title} of every head, by layer`, (x, y, step) =>
    Array.from(values, (value, i) => {
      const [block, head] = [Math.floor(i / heads), i % heads];
      const spread = heads > 1 ? (head / (heads - 1) - 0.5) * Math.min(step * 0.5, 26) : 0;
      const words = `Layer ${block + 1}, head ${head + 1}: ${numeral(value)} ${unit}`;
      const point = drawn("circle", { class: "point", cx: x(block) + spread, cy: y(value), r: 4.5, role: "button",
        tabindex: -1, "aria-label": words, "data-point": `${block + 1},${head + 1}` }, drawn("title", {}, words));
      point.addEventListener("click", () => actions.open(block + 1, head + 1));
      point.addEventListener("keydown", (event) => stepPoint(event, panel, block, head, actions));
      panel.points[measure].push(point);
      return point;
    }));
  panel.plots.push(svg);
  return svg;
}

function stepPoint(event, panel, block, head, actions) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key !== "Enter" && event.key !== " " && !step) return;
  const [dx, dy] = step ?? [0, 0];
  actions.open(clamp(block + dx, 0, depthOf(panel) - 1) + 1, clamp(head + dy, 0, headsOf(panel) - 1) + 1);
  const measure = Object.keys(panel.points).find((name) => panel.points[name].includes(event.target));
  panel.points[measure].find((point) => point.getAttribute("tabindex") === "0")?.focus();
  event.preventDefault();
  event.stopPropagation();
}

// A method's shares in per cent of its whole.
function percentOf({ values }) {
  const whole = values.reduce((a, b) => a + b, 0);
  return Array.from(values, (value) => (whole > 0 ? (100 * value) / whole : 0));
}

// One bar a layer and method.
function sharesOf(panel, panels, width, meanings, actions) {
  const names = Object.keys(meanings).filter((name) => panel.shares[name]);
  const percent = names.map((name) => percentOf(panel.shares[name]));
  const high = endOf(panels, (one) => names.flatMap((name) => percentOf(one.shares[name])), 1);
  const svg = plotOf(panel, width, high, "Share of each layer in the map, per cent", (x, y, step) =>
    names.flatMap((name, m) => percent[m].map((value, block) => {
      const wide = Math.min(step * 0.8, 66) / names.length;
      const words = `${meanings[name].title}, layer ${block + 1}: ${value.toFixed(1)} %`;
      const bar = drawn("rect", { class: `share s${m}`, x: x(block) + (m - names.length / 2) * wide, width: Math.max(wide - 1, 1),
        y: y(value), height: Math.max(y(0) - y(value), 0.5), "data-share": `${name},${block + 1}` }, drawn("title", {}, words));
      bar.addEventListener("click", () => actions.layer(block + 1));
      return bar;
    })));
  panel.plots.push(svg);
  const legend = make("div", { class: "legend" }, ...names.map((name, m) =>
    make("span", { title: meanings[name].about }, make("i", { class: `s${m}` }), `${meanings[name].title} `,
      make("b", { "data-legend": m }))));
  panel.legend = { legend, percent };
  return [svg, legend];
}

// panels: those beside each other, this one among them.
function chartsOf(panel, panels, width, meanings, actions) {
  Object.assign(panel, { points: {}, plots: [] });
  const bits = Math.log2(panel.content.length + panel.outsideCount);
  return [
    card("Share of each layer in the map, %", "What each block adds to the sum of a method's map over patches or words; point at a method for its definition",
      ...sharesOf(panel, panels, width, meanings, actions)),
    card(`Mean attention distance, ${panel.unit}`,
      "Attention-weighted mean distance between query and key, averaged over queries (Dosovitskiy et al. 2021); only between " +
      (panel.grid ? "patches, in pixels of the model's input" : "words, in tokens"),
      scatterOf(panel, panels, width, "distance", "Mean attention distance", panel.unit, actions)),
    card("Attention entropy, bits", `Of attention rows, averaged over all source tokens; even attention has ${bits.toFixed(1)} bits`,
      scatterOf(panel, panels, width, "entropy", "Attention entropy", "bits", actions)),
  ];
}

function markCharts(panel, view) {
  const block = Math.min(view.layer, depthOf(panel)) - 1;
  for (const plot of panel.plots) plot.mark(block);
  const heads = headsOf(panel);
  for (const points of Object.values(panel.points)) {
    points.forEach((point, i) => {
      const here = Math.floor(i / heads) === block;
      const on = here && String((i % heads) + 1) === view.head;
      point.classList.toggle("here", here);
      point.classList.toggle("on", on);
      point.setAttribute("tabindex", on || (here && i % heads === 0 && !(Number(view.head) >= 1)) ? "0" : "-1");
    });
  }
  panel.legend.legend.querySelectorAll("[data-legend]").forEach((number) => {
    number.textContent = `${panel.legend.percent[Number(number.dataset.legend)][block].toFixed(0)} %`;
  });
}
