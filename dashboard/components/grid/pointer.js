// Pointing, zooming and panning, by pointer and by keys; all tiles move together.

const LARGEST_ZOOM = 16;

// view: x, y the picture's share at the tile's left and top edge, zoom. Keeps (u, v) of the tile where it is.
function zoomed(view, factor, u = 0.5, v = 0.5) {
  if (factor === 0) return { x: 0, y: 0, zoom: 1 };
  const zoom = clamp(view.zoom * factor, 1, LARGEST_ZOOM);
  return panned({ x: view.x + u / view.zoom - u / zoom, y: view.y + v / view.zoom - v / zoom, zoom }, 0, 0);
}

function panned(view, dx, dy) {
  const last = 1 - 1 / view.zoom;
  return { x: clamp(view.x + dx, 0, last), y: clamp(view.y + dy, 0, last), zoom: view.zoom };
}

// Shares of the tile under the pointer.
function under(event, canvas) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

// The patch under the pointer as shares of the seen region, or null outside it.
function spotAt(tile, view, u, v) {
  const { seen } = tile.picture;
  const x = (view.x + u / view.zoom - seen.x) / seen.width;
  const y = (view.y + v / view.zoom - seen.y) / seen.height;
  return x >= 0 && y >= 0 && x < 1 && y < 1 ? { x, y } : null;
}

const patchOf = (tile, spot) => [Math.floor(spot.y * tile.shape[0]), Math.floor(spot.x * tile.shape[1])];

const middleOf = (tile, row, column) => ({
  x: (clamp(column, 0, tile.shape[1] - 1) + 0.5) / tile.shape[1],
  y: (clamp(row, 0, tile.shape[0] - 1) + 0.5) / tile.shape[0],
});

// The patch's outline and its value, in one tile.
function markPatch(tile, spot, view) {
  tile.marker.hidden = tile.chip.hidden = !spot;
  if (!spot) return;
  const [row, column] = patchOf(tile, spot);
  const { seen } = tile.picture;
  const percent = (share) => `${100 * share}%`;
  const style = tile.marker.style;
  style.left = percent((seen.x + (column / tile.shape[1]) * seen.width - view.x) * view.zoom);
  style.top = percent((seen.y + (row / tile.shape[0]) * seen.height - view.y) * view.zoom);
  style.width = percent((seen.width / tile.shape[1]) * view.zoom);
  style.height = percent((seen.height / tile.shape[0]) * view.zoom);
  const at = row * tile.shape[1] + column;
  tile.chip.textContent = `${numeral(tile.values[at])}  #${tile.ranks[at]}`;
}

function readout(tile, spot, column, row) {
  const [y, x] = patchOf(tile, spot);
  const at = y * tile.shape[1] + x;
  return `${column.label}, ${row.label}: patch row ${y + 1}, column ${x + 1} · ${numeral(tile.values[at])} ` +
    `${column.unit} · rank ${tile.ranks[at]} of ${tile.values.length}`;
}

// Wires one tile. actions: point(tile, spot or null), pin(tile, spot), look(view), view().
function listen(tile, actions) {
  const { canvas } = tile;
  let grip = null; // where a drag began, while it lasts
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grip = { x: event.clientX, y: event.clientY, view: actions.view(), moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    if (grip && grip.view.zoom > 1) {
      const [dx, dy] = [(event.clientX - grip.x) / box.width, (event.clientY - grip.y) / box.height];
      grip.moved ||= Math.hypot(event.clientX - grip.x, event.clientY - grip.y) > 4;
      actions.look(panned(grip.view, -dx / grip.view.zoom, -dy / grip.view.zoom));
    }
    actions.point(tile, spotAt(tile, actions.view(), ...under(event, canvas)));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (grip && !grip.moved) actions.pin(tile, spotAt(tile, actions.view(), ...under(event, canvas)));
    grip = null;
  });
  canvas.addEventListener("pointerleave", () => actions.point(tile, null));
  canvas.addEventListener("dblclick", () => actions.look(zoomed(actions.view(), 0)));
  canvas.addEventListener("wheel", (event) => {
    const engaged = event.ctrlKey || event.metaKey || canvas.matches(":focus") || actions.view().zoom > 1;
    if (!engaged) return; // the page scrolls, until a tile was clicked
    event.preventDefault();
    actions.look(zoomed(actions.view(), Math.exp(-event.deltaY / 400), ...under(event, canvas)));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => onKey(event, tile, actions));
}

function onKey(event, tile, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (step && event.shiftKey) actions.look(panned(actions.view(), 0.1 * step[1], 0.1 * step[0]));
  else if (step) {
    const spot = actions.spot();
    const [row, column] = spot ? patchOf(tile, spot) : [-step[0], -step[1]];
    actions.pin(tile, middleOf(tile, row + step[0], column + step[1]), true);
  } else if (event.key === "+" || event.key === "=") actions.look(zoomed(actions.view(), 1.5));
  else if (event.key === "-") actions.look(zoomed(actions.view(), 1 / 1.5));
  else if (event.key === "0") actions.look(zoomed(actions.view(), 0));
  else if (event.key === "Escape") actions.pin(tile, null, true);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
