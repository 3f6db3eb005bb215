// The large map, the patches that are chosen on it, and the words whose maps hold them.

// 'row,from-to;...' from 1, as a set of patch numbers without those outside of the grid; and back.
function patchesNamed(text, [rows, columns]) {
  const chosen = new Set();
  for (const [, row, first, last] of text.matchAll(/(\d{1,4}),(\d{1,4})-(\d{1,4})/g)) {
    if (row < 1 || row > rows || first < 1) continue;
    for (let column = Number(first); column <= Math.min(Number(last), columns); column++) {
      chosen.add((row - 1) * columns + column - 1);
    }
  }
  return chosen;
}

function patchesText(chosen, [rows, columns]) {
  const runs = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!chosen.has(row * columns + column)) continue;
      const first = column;
      while (column + 1 < columns && chosen.has(row * columns + column + 1)) column++;
      runs.push(`${row + 1},${first + 1}-${column + 1}`);
    }
  }
  return runs.join(";");
}

function boxOf([a, b], [c, d], [, columns]) {
  const chosen = new Set();
  for (let row = Math.min(a, c); row <= Math.max(a, c); row++) {
    for (let column = Math.min(b, d); column <= Math.max(b, d); column++) chosen.add(row * columns + column);
  }
  return chosen;
}

// Draws the chosen patches over the map, and the patch of the keyboard.
function paintRegion(tile, chosen, cursor) {
  const [rows, columns] = tile.shape;
  const context = tile.canvas.getContext("2d");
  const pixel = window.devicePixelRatio || 1;
  const seen = placed(tile.picture.seen, { x: 0, y: 0, zoom: 1 }, tile.canvas);
  const outline = (patches, width, colour) => {
    const field = new Float32Array(rows * columns);
    for (const patch of patches) field[patch] = 1;
    strokeLines(context, edges(field, rows, columns, 0.5), seen, width * pixel, colour);
  };
  if (chosen.size) outline(chosen, 2, "#fff");
  if (cursor) outline([cursor[0] * columns + cursor[1]], 1, "#fff");
}

// Wires the large map. actions: shape(), chosen(), cursor(), draft(set), take(set), move(cursor).
function listenRegion(tile, actions) {
  const { canvas } = tile;
  const whole = { x: 0, y: 0, zoom: 1 };
  const at = (event) => {
    const spot = spotAt(tile, whole, ...under(event, canvas));
    return spot && patchOf(tile, spot);
  };
  const toggled = (patch) => {
    const chosen = new Set(actions.chosen());
    const number = patch[0] * tile.shape[1] + patch[1];
    if (!chosen.delete(number)) chosen.add(number);
    return chosen;
  };
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    const patch = at(event);
    if (event.button !== 0 || !patch) return;
    from = { patch, moved: false, held: actions.chosen(), added: event.shiftKey ? actions.chosen() : [] };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const patch = at(event);
    actions.point(patch);
    if (!from || !patch) return;
    from.moved ||= patch[0] !== from.patch[0] || patch[1] !== from.patch[1];
    if (from.moved) {
      from.box = new Set([...from.added, ...boxOf(from.patch, patch, tile.shape)]);
      actions.draft(from.box);
    }
  });
  canvas.addEventListener("pointerup", () => {
    if (from) actions.take(from.moved ? from.box : toggled(from.patch));
    from = null;
  });
  canvas.addEventListener("pointercancel", () => { // a finger that scrolls after all
    if (from) actions.draft(from.held);
    from = null;
  });
  canvas.addEventListener("pointerleave", () => actions.point(null));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cursor = actions.cursor();
    if (event.key === "Escape") actions.take(new Set());
    else if (event.key === " " || event.key === "Enter") actions.take(toggled(cursor ?? [0, 0]));
    else if (step) {
      const [rows, columns] = tile.shape;
      const next = cursor ? [clamp(cursor[0] + step[0], 0, rows - 1), clamp(cursor[1] + step[1], 0, columns - 1)] : [0, 0];
      actions.move(next);
      if (event.shiftKey) actions.take(new Set([...actions.chosen(), ...boxOf(cursor ?? next, next, tile.shape)]));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function rankingOf(app) {
  const { ranking, area, answers } = app.data;
  const head = make("header", {}, make("h4", {}, "Words that hold the region"),
    app.regionText ? make("button", { type: "button", class: "expand", "data-name": "clear", onclick: () => app.region("") }, "Clear region") : null);
  const lost = !ranking.length && app.maps.every((tile) => tile.state === "quiet"); // no map will come
  if (!app.regionText || app.chosen?.size === 0 || lost) {
    return [head, make("p", { class: "soft" }, "Drag a box over the map or click patches: words are ranked by the share of their map that lies inside. " +
      "With the keyboard, arrows move, space chooses, Shift adds.")];
  }
  if (!ranking.length || answers.region !== app.regionText) return [head, make("div", { class: "track" }, make("div", { class: "moving" }))];
  const top = Math.max(area, ...ranking.map((rank) => rank.share ?? 0), 1e-9);
  const line = (label, share, attributes, tag = "button") => {
    const bar = make("i", { "aria-hidden": "true" });
    bar.style.width = `${(100 * (share ?? 0)) / top}%`;
    const mark = make("b", { "aria-hidden": "true" });
    mark.style.left = `${(100 * area) / top}%`;
    return make("li", {}, make(tag, { class: "rank", ...attributes }, make("span", { class: "label", dir: "auto" }, label),
      make("span", { class: "bar" }, bar, mark), make("span", { class: "number" }, share === null ? "none" : percent(share))));
  };
  return [head,
    make("p", { class: "soft" }, `Share of each map's positive mass inside the region, which is ${percent(area)} of the patches (the mark): more than that is more than an even map.`),
    make("ol", {}, ...ranking.map((rank) => line(rank.label, rank.share, { type: "button", "data-rank": rank.words,
      "aria-pressed": String(rank.words !== "" && rank.words === nameOf(app.span)), "data-whole": rank.words === "",
      onclick: () => app.take(spanNamed(rank.words)) })))];
}
