// Mounts and updates the grid. Called by Streamlit on the first drawing and whenever the data changes.

const TOLD_AFTER = 500; // milliseconds of rest before the page is told of a display change
const MOST_PIXELS = 32e6; // of the canvas; a larger grid is drawn coarser
const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let grid = mounted.get(parentElement);
  if (!grid || !parentElement.contains(grid.root)) {
    grid = mount(parentElement);
    mounted.set(parentElement, grid);
  }
  grid.tell = (display) => setStateValue("display", { ...display, revision: grid.revision });
  grid.choose = (name) => setTriggerValue("chosen", name);
  update(grid, data);
}

function mount(parent) {
  const root = parent.querySelector(".sidelight-grid");
  const grid = { root, bars: root.querySelector(".bars"), status: root.querySelector(".status"),
    box: root.querySelector(".box"), sheet: make("canvas", { class: "sheet", "aria-hidden": "true" }),
    view: { x: 0, y: 0, zoom: 1 }, spot: null, pinned: null, tiles: [], pictures: new Map(), revision: 0,
    timer: 0, frame: 0 };
  grid.box.addEventListener("click", (event) => {
    const label = event.target.closest("[data-row-name]");
    if (label) grid.choose(label.dataset.rowName);
  });
  new ResizeObserver(() => repaint(grid)).observe(grid.box);
  return grid;
}

function update(grid, data) {
  if (data.revision !== grid.revision) Object.assign(grid, { revision: data.revision, display: { ...data.display } });
  const label = JSON.stringify(data.pictures.map((picture) => picture.alt));
  if (label !== grid.label) Object.assign(grid, { label, view: zoomed(grid.view, 0), spot: null, pinned: null });
  grid.toolbar = data.toolbar;
  grid.root.classList.toggle("bare", !data.toolbar);
  grid.tables = {};
  for (const table of data.tables) {
    grid.tables[table.name] = { bytes: bytesOf(table.bytes), diverging: table.diverging };
  }
  grid.model = modelOf(grid, data);
  const shown = new Set(data.pictures.map((picture) => picture.source));
  for (const source of grid.pictures.keys()) if (!shown.has(source)) grid.pictures.delete(source);
  grid.tiles = grid.model.tiles.flat();
  layOut(grid);
}

function modelOf(grid, data) {
  const numbers = floatsOf(data.values);
  const pictures = data.pictures.map((picture) => pictureOf(grid, picture));
  const tiles = data.tiles.map((line, row) => line.map((fact, column) => {
    const tile = { ...fact, row, column, label: data.rows[row].label, picture: pictures[data.rows[row].picture] };
    if (fact.state === "map") {
      tile.values = numbers.slice(fact.offset, fact.offset + fact.shape[0] * fact.shape[1]);
      tile.ranks = ranksOf(tile.values);
    }
    return tile;
  }));
  return { columns: data.columns, rows: data.rows, tiles };
}

function pictureOf(grid, picture) {
  let element = grid.pictures.get(picture.source);
  if (!element) {
    element = new Image();
    element.onload = () => repaint(grid);
    element.src = picture.source;
    grid.pictures.set(picture.source, element);
  }
  const { width, height } = picture;
  const share = ([left, top, right, bottom]) => ({ x: left / width, y: top / height,
    width: (right - left) / width, height: (bottom - top) / height });
  const seen = share(picture.seen);
  const outlines = picture.outlines.map(({ name, paths }) => ({ name, lines: paths.flatMap((path) => segments(path, width, height)) }));
  return { ...picture, element, seen, outlines, cropped: seen.width < 0.999 || seen.height < 0.999 };
}

// A path [x, y, x, y, ...] in pixels as line segments in the unit square.
function segments(path, width, height) {
  const lines = [];
  for (let i = 0; i + 3 < path.length; i += 2) {
    lines.push(path[i] / width, path[i + 1] / height, path[i + 2] / width, path[i + 3] / height);
  }
  return lines;
}

// Everything anew but the pictures: after new data, or a display option that changes the cards.
function layOut(grid) {
  const { display, model, tables, root } = grid;
  const focused = root.getRootNode().activeElement?.dataset ?? {};
  for (const tile of grid.tiles) {
    if (!tile.values) continue;
    const peers = grid.tiles.filter((other) => other.values && other.column === tile.column);
    tile.scale = scaleTile(tile, peers, display);
    tile.layerKey = "";
  }
  const outlined = grid.tiles.some((tile) => tile.picture.outlines.length > 0);
  const { opacity, top, above, ...chosen } = display; // the sliders show their own values
  const bars = JSON.stringify([grid.revision, outlined, above > 0, chosen]);
  if (grid.toolbar && bars !== grid.barsDrawn) { // not while a slider is held and a map arrives
    const zoom = (factor) => look(grid, zoomed(grid.view, factor));
    const set = (values, redraw) => change(grid, values, redraw);
    grid.bars.replaceChildren(toolbarOf(display, tables, outlined, set, zoom));
    grid.barsDrawn = bars;
  }
  const { lines, across } = cellsOf(model, display, tables);
  grid.box.replaceChildren(grid.sheet, ...lines);
  grid.box.style.setProperty("--across", across);
  grid.box.dataset.few = String(across <= 2);
  for (const tile of grid.tiles) if (tile.values) listen(tile, actionsOf(grid));
  const again = focused.tile ? `[data-tile="${focused.tile}"]` : focused.value ? `[data-value="${focused.value}"]`
    : focused.name ? `[data-name="${focused.name}"]` : focused.rowName ? `[data-row-name="${focused.rowName}"]` : null;
  if (again) root.querySelector(again)?.focus({ preventScroll: true });
  look(grid, grid.view);
}

function change(grid, values, redraw) {
  Object.assign(grid.display, values);
  if (redraw) layOut(grid);
  else repaint(grid);
  clearTimeout(grid.timer);
  grid.timer = setTimeout(() => grid.tell({ ...grid.display }), TOLD_AFTER);
}

function actionsOf(grid) {
  return {
    view: () => grid.view,
    spot: () => grid.spot,
    look: (view) => look(grid, view),
    point: (tile, spot) => { if (!grid.pinned) point(grid, tile, spot); },
    pin: (tile, spot, stay) => {
      grid.pinned = spot && (stay || !grid.pinned) ? tile : null;
      point(grid, tile, spot);
    },
  };
}

function look(grid, view) {
  grid.view = view;
  const level = grid.bars.querySelector(".level");
  if (level) level.textContent = `${view.zoom < 10 ? view.zoom.toFixed(1).replace(".0", "") : Math.round(view.zoom)}×`;
  point(grid, grid.pointed, grid.spot);
  repaint(grid);
}

// Marks the same patch in every tile and says the one under the pointer.
function point(grid, tile, spot) {
  Object.assign(grid, { spot, pointed: tile });
  for (const other of grid.tiles) if (other.values) markPatch(other, spot, grid.view);
  const hint = "Point at a patch to read it in every tile. Click to hold it; then wheel to zoom, drag to pan.";
  const here = tile && spot && grid.tiles.find((t) => t.values && t.row === tile.row && t.column === tile.column);
  grid.status.textContent = here ? readout(here, spot, grid.model.columns[here.column], grid.model.rows[here.row]) : hint;
  grid.status.classList.toggle("hint", !here);
}

// Once a frame at most, whatever asks for it.
function repaint(grid) {
  if (grid.frame) return;
  grid.frame = requestAnimationFrame(() => {
    grid.frame = 0;
    place(grid);
    for (const tile of grid.tiles) {
      if (tile.surface.width && tile.picture.element.complete) paintTile(tile, grid.display, grid.view, grid.tables);
    }
    grid.root.dataset.painted = String(Number(grid.root.dataset.painted || 0) + 1);
  });
}

// One canvas below all tiles, of which each gets the part that it covers: a browser draws one large canvas in a
// fraction of the time that it takes for many small ones. The tiles' own canvases are never drawn on; they take
// the focus and the pointer.
function place(grid) {
  const canvas = grid.sheet;
  const origin = canvas.getBoundingClientRect();
  const boxes = grid.tiles.map((tile) => tile.canvas.getBoundingClientRect());
  const width = Math.ceil(Math.max(1, ...boxes.map((box) => box.right - origin.left)));
  const height = Math.ceil(Math.max(1, ...boxes.map((box) => box.bottom - origin.top)));
  const pixel = Math.min(window.devicePixelRatio || 1, Math.sqrt(MOST_PIXELS / (width * height)));
  const [across, down] = [Math.round(width * pixel), Math.round(height * pixel)];
  if (canvas.width !== across || canvas.height !== down) {
    Object.assign(canvas, { width: across, height: down });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, across, down);
  grid.tiles.forEach((tile, i) => {
    const box = boxes[i];
    tile.surface = { context, x: (box.left - origin.left) * pixel, y: (box.top - origin.top) * pixel,
      width: box.width * pixel, height: box.height * pixel };
  });
}
