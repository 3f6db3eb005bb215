// Mounts and updates the curves. Called by Streamlit on the first drawing and whenever the data changes.

const TOLD_AFTER = 400; // milliseconds of rest before the page is told of the view
const FRAME = 140; // milliseconds of a step while it plays
const ORDERS = [
  ["most", "Most relevant first", "The units that a method ranks highest are changed first"],
  ["least", "Least relevant first", "The units that a method ranks lowest are changed first"],
];
const CURVES = [
  ["deletion", "Deletion", "From the picture to the fill"], ["insertion", "Insertion", "From the fill to the picture"],
];
const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let app = mounted.get(parentElement);
  if (!app || !parentElement.contains(app.root)) {
    app = mount(parentElement);
    mounted.set(parentElement, app);
  }
  app.tell = (view) => setStateValue("view", { ...view, revision: app.revision });
  update(app, data);
  return () => { if (!app.root.isConnected) leave(app); }; // it is also called while the page stays, for older data
}

function leave(app) {
  stop(app);
  clearTimeout(app.timer);
}

function mount(parent) {
  const root = parent.querySelector(".sidelight-curves");
  const part = (name) => root.querySelector(`.${name}`);
  const app = { root, bars: part("bars"), status: part("status"), plotBox: part("plots"), shots: part("shots"),
    numbers: part("numbers"), revision: 0, hover: null, timer: 0, player: 0, frame: 0 };
  app.bars.append(controlsOf(app)); // once: to replace a slider that is held would end the drag
  root.addEventListener("keydown", (event) => stepped(app, event));
  new ResizeObserver(() => layOutPlots(app)).observe(app.plotBox);
  return app;
}

function update(app, bytes) {
  const { head, array } = opened(bytes);
  if (head.revision !== app.revision) {
    Object.assign(app, { revision: head.revision, view: { ...head.view }, hover: null });
    stop(app); // other data alone, such as one more line, does not
  }
  const rounds = {};
  const lines = head.lines.map((line, place) => {
    rounds[line.colour] = (rounds[line.colour] ?? -1) + 1;
    return { ...line, place, round: rounds[line.colour], curve: line.curve && { ...line.curve, ranks: array(line.curve.ranks) } };
  });
  const instead = { deletion: array(head.instead.deletion), insertion: array(head.instead.insertion) };
  const sent = head.drawn && { ...head.drawn, pictures: Object.fromEntries(
    Object.entries(head.drawn.pictures).map(([place, picture]) => [place, array(picture)])) };
  app.data = { ...head, base: array(head.base), instead, lines, drawn: sent };
  layOut(app);
}

// The point that is shown: under the pointer, or else the marked one.
function pointOf(app) {
  if (app.hover) return app.hover;
  const { curve } = app.view;
  return { curve, index: closest(app.data.shares[curve], app.view.mark / 100) };
}

// Of both curves: the shown point, and the other curve's at the same share.
function indicesOf(app) {
  const { curve, index } = pointOf(app);
  const share = app.data.shares[curve][index];
  const at = (name) => (name === curve ? index : closest(app.data.shares[name], share));
  return { deletion: at("deletion"), insertion: at("insertion") };
}

// Everything anew but the controls: after new data, and after an option that changes more than the point.
function layOut(app) {
  const focused = app.root.getRootNode().activeElement;
  const again = focused && app.root.contains(focused) ? selectorOf(focused) : null;
  showChosen(app);
  app.tiles = tilesOf(app.data, (line) => stress(app, line));
  app.shots.replaceChildren(app.tiles.first.element, ...app.tiles.tiles.map((tile) => tile.element));
  paint(app.tiles.first.canvas, opaque(app.data.base.values));
  app.table = tableOf(app.data, app.view, indicesOf(app), (name, lower) => sort(app, name, lower), (line) => stress(app, line));
  app.numbers.replaceChildren(app.table.element);
  layOutPlots(app);
  if (again) app.root.querySelector(again)?.focus({ preventScroll: true });
}

function selectorOf(element) {
  for (const name of ["value", "name", "sort", "plot"]) {
    if (element.dataset[name] !== undefined) return `[data-${name}="${CSS.escape(element.dataset[name])}"]`;
  }
  return null;
}

function controlsOf(app) {
  app.slider = make("input", { type: "range", min: 0, step: 1, "data-name": "point", "aria-label": "Marked point",
    oninput: () => keep(app, pointOf(app).curve, Number(app.slider.value)) });
  app.sliderText = make("output", {});
  app.play = make("button", { type: "button", class: "play", "data-name": "play", "aria-label": "Play",
    title: "Play the steps (space)", onclick: () => (app.player ? stop(app) : play(app)) }, "▶");
  return make("div", { class: "toolbar", role: "toolbar", "aria-label": "What is shown" },
    segmented("Order", ORDERS, "", (order) => change(app, { order }, true)),
    field("Pictures of", segmented("Pictures of", CURVES, "", (curve) => take(app, curve, true))),
    make("div", { class: "field scrub" }, app.play, app.slider, app.sliderText));
}

// What the plots are made from, as text: while it is the same they stay, and a drag goes on.
function plotted({ score, fills, unit, units, shares, changed, ...data }, order, width) {
  const lines = linesWith(data).map(({ curve: { ranks, ...numbers }, ...line }) => [line, numbers]);
  return JSON.stringify([width, order, score, fills, unit, units, shares, changed, lines]);
}

function layOutPlots(app) {
  if (!app.data) return;
  const width = Math.round(app.plotBox.clientWidth);
  const made = plotted(app.data, app.view.order, width);
  if (!width || made === app.plotsMade) return refresh(app);
  app.plotsMade = made;
  const beside = getComputedStyle(app.plotBox).gridTemplateColumns.split(" ").length;
  const room = Math.floor((width - 16 * (beside - 1)) / beside);
  const range = rangeOf(app.data, app.view.order);
  const actions = {
    point: (curve, index, line) => {
      if (app.player) return;
      app.hover = index === null ? null : { curve, index };
      stress(app, line);
      refresh(app);
    },
    keep: (curve, index) => keep(app, curve, index),
    take: (curve) => take(app, curve, false),
  };
  const focused = app.root.getRootNode().activeElement?.dataset?.plot;
  app.plots = CURVES.map(([curve]) =>
    plotOf(app.data, curve, app.view.order, room, beside > 1 ? 230 : Math.max(220, Math.min(286, room * 0.62)), range, actions));
  app.heads = CURVES.map(([curve, title]) => make("header", {}, make("h4", {}, title), make("span", { class: "soft" }, about(app, curve))));
  app.plotBox.replaceChildren(...app.plots.map((plot, i) => make("div", { class: "plotbox" }, app.heads[i], plot)));
  if (focused) app.plotBox.querySelector(`[data-plot="${focused}"]`)?.focus({ preventScroll: true });
  refresh(app);
}

function about(app, curve) {
  const { score, fills } = app.data;
  const lower = (curve === "deletion") === (app.view.order === "most");
  const way = curve === "deletion" ? `to ${fillText(fills.deletion)}` : `from ${fillText(fills.insertion)}`;
  return `${score}, ${way}; ${lower ? "lower" : "higher"} is better`;
}

const FILL_TEXTS = { mean: "the mean colour", blur: "a blurred picture", black: "black", noise: "random colours", neighbours: "the neighbours\u2019 colours" };
const fillText = (fill) => FILL_TEXTS[fill] ?? fill;

// Another point, order or highlight: what is there gets new numbers and pixels, once a frame.
function refresh(app) {
  if (app.frame) return;
  app.frame = requestAnimationFrame(() => {
    app.frame = 0;
    const { data, view } = app;
    const point = pointOf(app);
    const indices = indicesOf(app);
    app.plots?.forEach((plot, i) => plot.mark(indices[CURVES[i][0]], CURVES[i][0] === point.curve));
    app.heads?.forEach((head, i) => head.classList.toggle("here", CURVES[i][0] === point.curve));
    const sent = data.drawn;
    const fits = sent && sent.curve === point.curve && sent.order === view.order && sent.index === point.index;
    showPoint(app.tiles, data, point, view.order, fits ? sent : null);
    fillTable(app.table, data, view, indices);
    const last = data.shares[point.curve].length - 1;
    Object.assign(app.slider, { max: last, value: point.index });
    app.slider.style.setProperty("--filled", `${(100 * point.index) / last}%`);
    app.slider.setAttribute("aria-valuetext", pointText(data, point.curve, point.index));
    app.sliderText.textContent = percentText(data.shares[point.curve][point.index]);
    app.status.textContent = statusText(app, point, Boolean(fits));
    app.root.dataset.point = `${point.curve} ${view.order} ${point.index} ${fits ? "sent" : "drawn"}`;
  });
}

function statusText(app, point, fits) {
  const { data, view } = app;
  const said = pointText(data, point.curve, point.index);
  const order = view.order === "most" ? "most relevant first" : "least relevant first";
  const parts = [`${point.curve === "deletion" ? "Deletion" : "Insertion"}: ${said}, ${order}.`];
  if (data.fills[point.curve] === "neighbours" && linesWith(data).length) {
    parts.push(fits ? "Filled from the neighbours, as the model saw it."
      : "What is hidden has the mean colour here; filled from the neighbours once the point is kept.");
  }
  if (data.every > 1) parts.push(`The pictures show one pixel in ${data.every * data.every}.`);
  parts.push(app.hover ? "Click to keep this point." : "Point at a curve or use the arrow keys.");
  return parts.join(" ");
}

function stress(app, line) {
  for (const plot of app.plots ?? []) plot.stress(line);
  for (const tile of app.tiles.tiles) tile.element.classList.toggle("chosen", tile.line.place === line?.place);
}

function keep(app, curve, index) {
  app.hover = null;
  const redraw = curve !== app.view.curve;
  change(app, { curve, mark: Number((100 * app.data.shares[curve][index]).toFixed(4)) }, false);
  if (redraw) showChosen(app);
}

// The pictures of another curve at the share that is marked.
function take(app, curve) {
  if (curve === app.view.curve) return;
  app.hover = null;
  const share = app.data.shares[curve][closest(app.data.shares[curve], app.view.mark / 100)];
  change(app, { curve, mark: Number((100 * share).toFixed(4)) }, false);
  showChosen(app);
}

function showChosen(app) {
  const { order, curve } = app.view;
  for (const button of app.bars.querySelectorAll("[data-value]")) {
    button.setAttribute("aria-pressed", String([order, curve].includes(button.dataset.value)));
  }
}

// Better numbers first, then the other way round, then the order of the methods.
function sort(app, name, lower) {
  const [first, second] = lower || name === "method" ? [name, `-${name}`] : [`-${name}`, name];
  change(app, { sort: app.view.sort === first ? second : app.view.sort === second ? "" : first }, true);
}

function change(app, values, redraw) {
  Object.assign(app.view, values);
  if (redraw) layOut(app);
  else refresh(app);
  clearTimeout(app.timer);
  app.timer = setTimeout(() => app.tell({ ...app.view }), TOLD_AFTER);
}

function stepped(app, event) {
  const control = event.target.closest("select, textarea, input:not([type=range])");
  if (control || event.ctrlKey || event.metaKey || event.altKey) return;
  const { curve, index } = pointOf(app);
  const last = app.data.shares[curve].length - 1;
  const stride = Math.max(2, Math.round(last / 10));
  const to = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, Home: 0, End: last,
    PageDown: index - stride, PageUp: index + stride }[event.key];
  if (event.key === " " && !event.target.closest("button")) app.player ? stop(app) : play(app);
  else if (to === undefined) return;
  else {
    stop(app);
    keep(app, curve, clamp(to, 0, last));
  }
  event.preventDefault();
}

// From the marked point to the end, or from the start where it is there already.
function play(app) {
  const { curve, index } = pointOf(app);
  const last = app.data.shares[curve].length - 1;
  keep(app, curve, index >= last ? 0 : index);
  app.player = setInterval(() => {
    const now = pointOf(app);
    if (now.index >= app.data.shares[now.curve].length - 1) stop(app);
    else keep(app, now.curve, now.index + 1);
  }, Math.max(20, FRAME * Math.min(1, 20 / last)));
  showPlayer(app);
}

function stop(app) {
  clearInterval(app.player);
  app.player = 0;
  showPlayer(app);
}

function showPlayer(app) {
  app.play.textContent = app.player ? "❚❚" : "▶";
  app.play.setAttribute("aria-label", app.player ? "Pause" : "Play");
}
