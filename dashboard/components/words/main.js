// Mounts and updates the words. Called by Streamlit on the first drawing and whenever the data changes.

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let app = mounted.get(parentElement);
  if (!app || !parentElement.contains(app.root)) {
    app = mount(parentElement);
    mounted.set(parentElement, app);
  }
  app.tell = (choice) => setStateValue("choice", { ...choice, revision: app.revision });
  update(app, data);
  return () => { if (!app.root.isConnected) app.gone.abort(); }; // it is also called while the page stays, for older data
}

function mount(parent) {
  const root = parent.querySelector(".sidelight-words");
  const part = (name) => root.querySelector(`.${name}`);
  const app = { root, measures: part("measures"), status: part("status"), large: part("large"), ranking: part("ranking"),
    pictures: new Map(), revision: 0, span: null, pointed: null, focus: 0, cursor: null, expanded: false, frame: 0,
    gone: new AbortController() };
  app.take = (span, focus) => {
    app.span = span;
    if (Number.isInteger(focus)) app.focus = focus;
    choose(app);
  };
  app.region = (text) => {
    app.regionText = text;
    readRegion(app);
    choose(app);
  };
  listenWords(app, app.measures, app.take);
  new ResizeObserver(() => repaint(app)).observe(app.large);
  return app;
}

function update(app, data) {
  app.data = data;
  app.readable = data.words.map((_, place) => data.measures.some((measure) => measure.values[place] !== null));
  app.tables = {};
  for (const table of data.tables) app.tables[table.name] = { bytes: bytesOf(table.bytes), diverging: table.diverging };
  const numbers = floatsOf(data.values);
  const picture = pictureOf(app, data.pictures[0]);
  app.maps = data.tiles.map(([fact], row) => {
    const label = data.rows[row].label;
    if (fact.state !== "map") return { ...fact, row, column: 0, label, picture };
    const values = numbers.slice(fact.offset, fact.offset + fact.shape[0] * fact.shape[1]);
    return { ...fact, row, column: 0, label, picture, values, ranks: ranksOf(values) };
  });
  if (data.revision !== app.revision) {
    Object.assign(app, { revision: data.revision, span: spanNamed(data.choice.words), regionText: data.choice.region });
  }
  readRegion(app);
  app.focus = clamp(app.focus, 0, Math.max(data.words.length - 1, 0));
  layOut(app);
}

// The region is kept as text: which patches it names depends on the grid, and no map may be here to tell it.
function readRegion(app) {
  const shape = app.maps.find((tile) => tile.values)?.shape;
  app.chosen = shape ? patchesNamed(app.regionText, shape) : null;
}

function pictureOf(app, picture) {
  let element = app.pictures.get(picture.source);
  if (!element) {
    element = new Image();
    element.onload = () => repaint(app);
    element.src = picture.source;
    app.pictures = new Map([[picture.source, element]]);
  }
  const { width, height, seen: [left, top, right, bottom] } = picture;
  const seen = { x: left / width, y: top / height, width: (right - left) / width, height: (bottom - top) / height };
  return { ...picture, element, seen, outlines: [], cropped: seen.width < 0.999 || seen.height < 0.999 };
}

// The map of what is selected; of the whole prompt where words have none of their own.
function tileOf(app) {
  const { places } = app.data;
  const at = places.length === 1 ? 0 : places.indexOf(nameOf(app.span));
  return at >= 0 ? app.maps[at] : { ...app.maps[0], values: undefined, state: "pending", waiting: "Waiting" };
}

function titleOf(app) {
  const { words, places, rows } = app.data;
  const at = places.length === 1 ? 0 : places.indexOf(nameOf(app.span));
  return at >= 0 ? rows[at].label : words.slice(app.span[0], app.span[1] + 1).join(" ");
}

// Everything anew.
function layOut(app) {
  const focused = app.root.getRootNode().activeElement;
  const again = focused && app.root.contains(focused) ? selectorOf(focused) : null;
  app.measures.replaceChildren(...app.data.measures.map((measure) => measureOf(app, measure)));
  drawMap(app);
  if (again) app.root.querySelector(again)?.focus({ preventScroll: true });
}

function selectorOf(element) {
  if (element.dataset.place !== undefined) return `[data-row="${element.dataset.row}"][data-place="${element.dataset.place}"]`;
  if (element.dataset.tile !== undefined) return ".large canvas.map";
  if (element.dataset.rank !== undefined) return `[data-rank="${element.dataset.rank}"]`;
  return element.dataset.name ? `[data-name="${element.dataset.name}"]` : null;
}

function drawMap(app) {
  const { columns, display } = app.data;
  const focused = app.root.getRootNode().activeElement?.matches?.(".large canvas.map");
  const tile = tileOf(app);
  app.tile = tile;
  if (tile.values) Object.assign(tile, { scale: scaleTile(tile, app.maps.filter((other) => other.values), display), layerKey: "" });
  const figure = figureOf(tile, columns[0], { label: titleOf(app) }, display, app.tables);
  const detail = [columns[0].label, columns[0].detail].filter(Boolean).join(" ");
  app.large.replaceChildren(make("header", {}, make("h4", { dir: "auto" }, titleOf(app)), make("span", { class: "soft" }, detail)), figure);
  if (tile.values) {
    listenRegion(tile, { chosen: () => app.chosen, cursor: () => app.cursor,
      take: (chosen) => app.region(patchesText(chosen, tile.shape)),
      draft: (chosen) => { app.chosen = chosen; repaint(app); },
      move: (cursor) => { app.cursor = cursor; pointPatch(app, cursor); repaint(app); },
      point: (patch) => pointPatch(app, patch) });
  }
  if (focused) tile.canvas.focus({ preventScroll: true });
  drawChoice(app);
}

function drawChoice(app) {
  markWords(app);
  sayWords(app);
  const focused = app.root.getRootNode().activeElement;
  const again = focused && app.ranking.contains(focused) ? selectorOf(focused) : null;
  app.ranking.replaceChildren(...rankingOf(app));
  if (again) app.root.querySelector(again)?.focus({ preventScroll: true });
  repaint(app);
}

function pointPatch(app, patch) {
  const { tile } = app;
  if (!patch) return sayWords(app);
  const at = patch[0] * tile.shape[1] + patch[1];
  app.status.classList.remove("hint");
  app.status.textContent = `patch row ${patch[0] + 1}, column ${patch[1] + 1} · ${numeral(tile.values[at])} ` +
    `${app.data.columns[0].unit} · rank ${tile.ranks[at]} of ${tile.values.length}`;
}

// After a selection: at once here, and the page is told.
function choose(app) {
  drawMap(app);
  app.tell({ words: nameOf(app.span), region: app.regionText });
}

function repaint(app) {
  if (app.frame) return;
  app.frame = requestAnimationFrame(() => {
    app.frame = 0;
    const { tile } = app;
    const pixel = window.devicePixelRatio || 1;
    const width = Math.round(tile.canvas.clientWidth * pixel);
    const height = Math.round(tile.canvas.clientHeight * pixel);
    if (!width || !tile.picture.element.complete) return;
    if (tile.canvas.width !== width || tile.canvas.height !== height) Object.assign(tile.canvas, { width, height });
    paintTile(tile, app.data.display, { x: 0, y: 0, zoom: 1 }, app.tables);
    if (tile.values) paintRegion(tile, app.chosen, app.root.getRootNode().activeElement === tile.canvas ? app.cursor : null);
    app.root.dataset.painted = String(Number(app.root.dataset.painted || 0) + 1);
  });
}
