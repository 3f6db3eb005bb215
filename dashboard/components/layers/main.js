// Mounts and updates the layers. Called by Streamlit on the first drawing and whenever the data changes.

const TOLD_AFTER = 500; // milliseconds of rest before the page is told of the view
const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let app = mounted.get(parentElement);
  if (!app || !parentElement.contains(app.root)) {
    app = mount(parentElement);
    mounted.set(parentElement, app);
  }
  app.tell = (view) => setStateValue("view", { ...view, revision: app.revision });
  update(app, unpack(data));
  return () => { if (!app.root.isConnected) clearTimeout(app.timer); }; // it is also called while the page stays, for older data
}

function mount(parent) {
  const root = parent.querySelector(".sidelight-layers");
  const part = (name) => root.querySelector(`.${name}`);
  const app = { root, bars: part("bars"), about: part("about"), stepper: part("stepper"), status: part("status"),
    panelBox: part("panels"), panels: [], held: new Map(), pictures: new Map(), heads: 1, asked: null, revision: 0, timer: 0, frame: 0, width: 0,
    spot: null, hover: null };
  root.addEventListener("keydown", (event) => {
    const step = { PageUp: -1, PageDown: 1 }[event.key];
    if (!step) return;
    change(app, { layer: clamp(app.view.layer + step, 1, app.depth) });
    event.preventDefault();
  });
  new ResizeObserver(() => resized(app)).observe(app.panelBox);
  return app;
}

function update(app, data) {
  if (data.revision !== app.revision) {
    Object.assign(app, { revision: data.revision, asked: data.view, hover: null });
  }
  if (app.asked) Object.assign(app, { view: { ...app.asked }, spot: undefined }); // until changed here: more may be ready now
  Object.assign(app, { tables: data.tables, quantities: data.quantities, shares: data.shares, panels: data.panels });
  for (const panel of data.panels) {
    if (panel.state !== "ready") continue;
    panel.held = app.held.get(panel.key) ?? {};
    if (panel.rows_of) panel.held[panel.rows_of] = { ...panel.held[panel.rows_of], ...panel.rows };
    panel.outsideCount = panel.pooled.attention.shape[2] - panel.content.length;
    if (panel.picture) panel.picture = pictureOf(app, panel.picture);
  }
  const ready = data.panels.filter((panel) => panel.state === "ready");
  app.held = new Map(ready.map((panel) => [panel.key, panel.held]));
  app.depth = Math.max(1, ...ready.map(depthOf));
  app.heads = Math.max(1, ...ready.map(headsOf));
  const grid = String(ready[0]?.grid);
  if (ready.length && grid !== app.grid) Object.assign(app, { grid, spot: undefined }); // the same name is another place
  if (ready.length) beThere(app, ready);
  layOut(app);
}

// What a link asks for may not be in these models: then it is the last layer, the mean, the pooled token.
function beThere(app, ready) {
  const { view } = app;
  view.layer = view.layer >= 1 ? Math.min(view.layer, app.depth) : app.depth;
  const head = Number(view.head);
  if (view.head !== "max" && !(Number.isInteger(head) && head >= 1 && head <= app.heads)) view.head = "mean";
  if (!ready[0].grid) {
    const token = Number(view.source);
    if (!(token >= 1 && ready.some((panel) => token <= panel.tokens.length))) view.source = "";
  } else if (app.spot === undefined) {
    app.spot = spotNamed(ready[0], view.source);
    if (!app.spot) view.source = "";
  }
}

function pictureOf(app, picture) {
  let element = app.pictures.get(picture.source);
  if (!element) {
    element = new Image();
    element.onload = () => repaint(app);
    element.src = picture.source;
    app.pictures = new Map([...app.pictures, [picture.source, element]].slice(-4));
  }
  const { width, height, seen: [left, top, right, bottom] } = picture;
  const seen = { x: left / width, y: top / height, width: (right - left) / width, height: (bottom - top) / height };
  return { ...picture, element, seen, outlines: [], cropped: seen.width < 0.999 || seen.height < 0.999 };
}

const quantityOf = (app) => app.quantities.find((quantity) => quantity.name === app.view.quantity);

// Panels anew, and controls that changed: after new data, another quantity, or an option of the controls.
function layOut(app) {
  const focused = app.root.getRootNode().activeElement;
  const again = focused && app.root.contains(focused) ? selectorOf(focused) : null;
  const quantity = quantityOf(app);
  layOutControls(app, quantity);
  const same = quantity.shared && app.panels.some((panel) => panel.picture) ? " It is the same for every prompt." : "";
  app.about.textContent = quantity.about + same;
  app.panelBox.replaceChildren(...app.panels.map((panel, place) => panelOf(app, panel, place, quantity)));
  app.panelBox.dataset.count = String(app.panels.length);
  app.width = 0;
  refresh(app);
  resized(app);
  if (again) app.root.querySelector(again)?.focus({ preventScroll: true });
}

function selectorOf(element) {
  for (const name of ["value", "name", "layer", "head", "source", "main", "point"]) {
    if (element.dataset[name] !== undefined) return `[data-${name}="${CSS.escape(element.dataset[name])}"]`;
  }
  return null;
}

function panelOf(app, panel, place, quantity) {
  const score = panel.score === undefined ? null : make("span", { class: "detail" }, `cosine ${panel.score.toFixed(3).replace("-", "\u2212")}`);
  const head = make("header", {}, make("h3", { dir: "auto", title: panel.title }, panel.title), make("span", { class: "detail" }, panel.detail), score);
  panel.place = place;
  panel.element = make("section", { class: "panel", "aria-label": panel.title }, head);
  if (panel.state !== "ready") {
    panel.element.append(make("div", { class: "blank" }, panel.state === "waiting"
      ? make("div", { class: "track" }, make("div", { class: "moving" })) : null, make("p", { dir: "auto" }, panel.waiting || panel.reason)));
    return panel.element;
  }
  const actions = { layer: (layer) => change(app, { layer: Number(layer) }),
    head: (head) => change(app, { head: app.view.head === head ? "mean" : head }) };
  if (panel.note) panel.element.append(make("p", { class: "note" }, panel.note));
  panel.element.append(...(panel.grid ? picturesOf : wordsOf)(panel, quantity, actions));
  panel.charts = make("div", { class: "charts" });
  panel.element.append(panel.charts);
  listenStrip(panel.element, "layer", actions.layer);
  listenStrip(panel.element, "head", (head) => change(app, { head }));
  if (panel.grid) {
    listenPicture(panel, { sources: () => quantityOf(app).sources, kept: () => app.spot,
      point: (spot) => { app.hover = spot; refresh(app); }, keep: (spot) => keep(app, spot), read: (of, patch) => read(app, of, patch) });
  } else {
    listenWords(panel, { hover: (token) => { app.hover = token; refresh(app); },
      source: (token) => { app.hover = null; change(app, { source: token === null ? "" : String(token + 1) }); } });
  }
  return panel.element;
}

// Keeps a patch as the source, or goes back to the class token.
function keep(app, spot) {
  const first = app.panels.find((panel) => panel.state === "ready");
  Object.assign(app, { spot, hover: null });
  change(app, { source: spot ? nameOf(first, spot) : "" });
}

function change(app, values, redraw) {
  app.asked = null;
  Object.assign(app.view, values);
  if (redraw) layOut(app);
  else refresh(app);
  clearTimeout(app.timer);
  app.timer = setTimeout(() => app.tell({ ...app.view }), lacking(app) ? 0 : TOLD_AFTER);
}

// Whether a row that is asked for has not come yet: the page is told at once, and sends it.
const lacking = (app) => app.panels.some((panel) => panel.state === "ready" && !panel.main.values);

function sourceIn(app, panel) {
  if (!quantityOf(app).sources) return panel.row;
  if (panel.grid) return sourceOf(panel, "", app.hover ?? app.spot);
  return sourceOf(panel, app.hover === null ? app.view.source : String(app.hover + 1), null);
}

// New layer, head or source: new numbers in the pictures that are there.
function refresh(app) {
  const quantity = quantityOf(app);
  for (const panel of app.panels) {
    if (panel.state !== "ready") continue;
    const source = sourceIn(app, panel);
    (panel.grid ? measurePictures : measureWords)(panel, quantity, app.view, source);
    (panel.grid ? labelPictures : labelWords)(panel, quantity, app.view, source, app.tables);
    if (panel.plots) markCharts(panel, app.view);
  }
  const menuOfHeads = app.bars.querySelector('[data-name="Heads"]');
  if (menuOfHeads) menuOfHeads.value = app.view.head;
  if (app.depth > 1) {
    app.slider.value = app.view.layer;
    app.slider.style.setProperty("--filled", `${(100 * (app.view.layer - 1)) / (app.depth - 1)}%`);
    app.sliderText.textContent = `${app.view.layer} of ${app.depth}`;
    app.release.hidden = !quantity.sources || !app.view.source;
    app.release.textContent = app.panels.some((panel) => panel.grid) ? "Back to the class token" : "Back to the end of text";
  }
  say(app, quantity);
  repaint(app);
}

function say(app, quantity) {
  const panel = app.panels.find((one) => one.state === "ready");
  if (!panel) return;
  const source = sourceIn(app, panel);
  const block = Math.min(app.view.layer, depthOf(panel));
  const heads = !quantity.heads ? "" : Number(app.view.head) >= 1 ? `head ${app.view.head}`
    : `${app.view.head === "max" ? "largest" : "mean"} of ${headsOf(panel)} heads`;
  const outside = quantity.sources && panel.outside.length
    ? panel.grid ? `to the class token ${numeral(panel.outside[0])}` : `to start and end ${panel.outside.map(numeral).join(" and ")}` : "";
  const from = quantity.sources ? `from ${sourceText(panel, source)}` : "";
  const hint = !quantity.sources ? "" : app.view.source ? "Arrow keys move the source, Escape lets it go."
    : `Point at a ${panel.grid ? "patch" : "token"} to read from it, click to keep it.`;
  const found = panel.main.values ? extremes(panel, quantity) : "These rows are on their way.";
  app.status.textContent = `${[`Layer ${block}`, heads, from, outside].filter(Boolean).join(" · ")}. ${found} ${hint}`;
}

// The value under the pointer while the source is kept, or where there is none.
function read(app, panel, patch) {
  const value = patch < 0 || !panel.main.values ? null : panel.main.values[patch];
  markSquare(panel.reading, panel, value === null ? -1 : patch);
  panel.chip.hidden = value === null;
  if (value !== null) panel.chip.textContent = `${numeral(value)} ${quantityOf(app).unit}`;
}

// Charts are drawn at the width that they have.
function resized(app) {
  const width = Math.round(app.panelBox.clientWidth);
  if (width && width !== app.width) {
    app.width = width;
    const ready = app.panels.filter((panel) => panel.state === "ready");
    for (const panel of ready) {
      const room = panel.charts.clientWidth;
      const columns = room > 880 ? 3 : room > 560 ? 2 : 1;
      panel.charts.style.setProperty("--columns", columns);
      const actions = { layer: (layer) => change(app, { layer }), open: (layer, head) => change(app, { layer, head: String(head) }) };
      panel.charts.replaceChildren(...chartsOf(panel, ready, Math.floor((room - 24 * (columns - 1)) / columns), app.shares, actions));
      markCharts(panel, app.view);
    }
  }
  repaint(app);
}

// Once a frame at most, whatever asks for it.
function repaint(app) {
  if (app.frame) return;
  app.frame = requestAnimationFrame(() => {
    app.frame = 0;
    let whole = true;
    const pixel = window.devicePixelRatio || 1;
    const display = { ...app.view, draw: "overlay", top: 100, above: 0, contour: false, outlines: false };
    for (const panel of app.panels) {
      if (panel.state !== "ready" || !panel.grid) continue;
      for (const tile of [panel.main, ...panel.film, ...panel.heads]) {
        const [width, height] = [Math.round(tile.canvas.clientWidth * pixel), Math.round(tile.canvas.clientHeight * pixel)];
        if (!width || !tile.picture.element.complete) {
          whole = false; // its load or its size will ask for another frame
          continue;
        }
        if (tile.canvas.width !== width || tile.canvas.height !== height) Object.assign(tile.canvas, { width, height });
        paintTile(tile, display, WHOLE, app.tables);
      }
    }
    if (whole) app.root.dataset.painted = String(Number(app.root.dataset.painted || 0) + 1);
  });
}
