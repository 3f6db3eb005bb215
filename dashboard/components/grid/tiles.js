// The grid itself: headers, one figure a tile, and the card below it.

const SAME_SCORE = 1e-4; // cosines nearer than this are float noise of two passes

function scoreText(value) {
  return value.toFixed(3).replace("-", "\u2212");
}

function headOf(entry, kind) {
  return make("div", { class: `head ${kind}`, role: kind === "top" ? "columnheader" : "rowheader",
    "data-marked": entry.marked || undefined, "aria-current": entry.marked ? "true" : undefined },
    entry.name ? make("button", { type: "button", class: "title", dir: "auto", title: entry.label, "data-row-name": entry.name,
      "aria-pressed": String(entry.marked) }, entry.label)
      : make("div", { class: "title", dir: "auto", title: entry.label }, entry.label),
    entry.thumbnail ? make("img", { class: "thumbnail", src: entry.thumbnail, alt: "" }) : null,
    entry.detail ? make("div", { class: "detail", title: entry.detail }, entry.detail) : null,
    entry.evidence ? make("div", { class: "evidence", title: entry.meaning }, entry.evidence) : null,
    entry.score === undefined ? null
      : make("div", { class: "detail", title: `${entry.measure} in the unmodified model` },
        `${entry.measure} `, make("b", {}, scoreText(entry.score))));
}

function statistic(name, value, help) {
  return make("div", { class: "stat", title: help }, make("dd", {}, value), make("dt", {}, name));
}

// The figures of a card; the score only where it is not the row's own.
function factsOf(tile) {
  const facts = [];
  if (tile.gini !== undefined) {
    facts.push(statistic("sparsity", tile.gini.toFixed(2), "Gini coefficient: 0 even, 1 all on one patch"));
  }
  if (tile.specificity !== undefined) {
    facts.push(statistic("specificity", tile.specificity.toFixed(2),
      `1 − Spearman correlation with the map of “${tile.versus}”: 0 is the same map whatever the prompt`));
  }
  if (tile.seconds !== undefined) {
    facts.push(statistic("time", duration(tile.seconds), "Time of this map when it was computed"));
  }
  return make("dl", { class: "facts" }, ...facts);
}

// Below them where curves were computed.
function areasOf(tile) {
  if (tile.deletion === undefined) return null;
  return make("dl", { class: "facts" },
    statistic("deletion", scoreText(tile.deletion), "Area under the deletion curve of the Curves page; lower is better"),
    statistic("insertion", scoreText(tile.insertion), "Area under the insertion curve of the Curves page; higher is better"));
}

function flagOf(tile) {
  if (tile.explained === undefined || Math.abs(tile.explained - tile.score) <= SAME_SCORE) return null;
  const [explained, score] = [scoreText(tile.explained), scoreText(tile.score)];
  if (explained === score) return null;
  return make("p", { class: "flag",
    title: `The pass whose activations this method read scores ${explained}; the unmodified model ${score}.` },
    "explains ", make("b", {}, explained), `, model ${score}`);
}

function barOf(tile, unit, display, tables) {
  const bar = make("div", { class: "bar", "aria-hidden": "true" });
  bar.style.backgroundImage = gradientOf(tile.scale, display, tables);
  const rank = display.scale === "rank";
  const least = 1e-4 * Math.max(Math.abs(tile.scale.low), Math.abs(tile.scale.high)); // of what the bar can tell apart
  const word = (value) => (rank ? `#${value}` : numeral(Math.abs(value) < least ? 0 : value));
  return make("div", { class: "scale", title: rank ? "rank of the patch" : unit }, bar,
    make("div", { class: "ends" }, make("span", {}, word(tile.scale.low)),
      make("span", { class: "unit" }, rank ? "rank" : unit), make("span", {}, word(tile.scale.high))));
}

// The strongest patch in words, for people who do not see the map.
function altOf(tile, column, row) {
  if (!tile.values) return `${column.label}, ${row.label}: ${tile.reason || tile.waiting}`;
  const at = tile.values.indexOf(tile.values.reduce((a, b) => Math.max(a, b)));
  const [y, x] = [Math.floor(at / tile.shape[1]) + 1, (at % tile.shape[1]) + 1];
  return `${column.label} for ${row.label} on ${tile.picture.alt}. Strongest at patch row ${y}, column ${x} of ` +
    `${tile.shape[0]} by ${tile.shape[1]}, value ${numeral(tile.values[at])} ${column.unit}.`;
}

function quietOf(tile) {
  if (tile.state === "pending") {
    const done = make("div", { class: "done" });
    done.style.width = `${100 * tile.progress}%`;
    return make("div", { class: "quiet pending" }, make("div", { class: "track" }, done), make("p", {}, tile.waiting));
  }
  return make("div", { class: "quiet" }, make("p", { dir: "auto" }, tile.reason));
}

// Fills in tile.canvas, tile.marker and tile.chip.
function figureOf(tile, column, row, display, tables) {
  const { picture } = tile;
  tile.canvas = make("canvas", { class: "map", role: "img", "aria-label": altOf(tile, column, row),
    tabindex: tile.values ? "0" : undefined, "data-tile": `${tile.row},${tile.column}` });
  tile.marker = make("div", { class: "marker", hidden: true });
  tile.chip = make("div", { class: "chip", hidden: true });
  const frame = make("div", { class: tile.values ? "frame" : "frame faint" }, tile.canvas,
    make("div", { class: "marks", "aria-hidden": "true" }, tile.marker, tile.chip),
    tile.values ? null : quietOf(tile));
  frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
  const note = tile.note ? make("p", { class: "note", dir: "auto" }, tile.note) : null;
  return make("figure", { class: "tile", role: "cell" }, frame,
    tile.values ? make("figcaption", {}, barOf(tile, column.unit, display, tables), factsOf(tile), areasOf(tile), flagOf(tile), note) : null);
}

// Header row, then one row a prompt (or, transposed, a method): children of a CSS grid.
function cellsOf(model, display, tables) {
  const across = display.transpose ? model.rows : model.columns;
  const down = display.transpose ? model.columns : model.rows;
  const line = (...cells) => make("div", { class: "line", role: "row" }, ...cells);
  const lines = [line(make("div", { class: "head corner", role: "cell" }), ...across.map((entry) => headOf(entry, "top")))];
  down.forEach((entry, d) => {
    const tiles = across.map((_, a) => (display.transpose ? model.tiles[a][d] : model.tiles[d][a]));
    lines.push(line(headOf(entry, "side"),
      ...tiles.map((tile) => figureOf(tile, model.columns[tile.column], model.rows[tile.row], display, tables))));
  });
  return { lines, across: across.length };
}
