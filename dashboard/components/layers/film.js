// The pictures of one panel: a strip of all layers, the chosen one large, its heads small.

const WHOLE = { x: 0, y: 0, zoom: 1 };

// A canvas that paintTile can draw on, inside its frame.
function tileOf(panel, attributes) {
  const canvas = make("canvas", { class: "map", ...attributes });
  const frame = make("div", { class: "frame" }, canvas);
  frame.style.aspectRatio = `${panel.picture.width} / ${panel.picture.height}`;
  return { canvas, frame, picture: panel.picture, shape: panel.grid, values: null, layerKey: "" };
}

function choiceOf(tile, label, kind, place, choose) {
  const caption = make("span", { class: "caption" }, label);
  return make("button", { type: "button", class: "choice", role: "radio", [`data-${kind}`]: place,
    onclick: () => choose(place) }, tile.frame, caption);
}

// Fills in panel.film, panel.main and panel.heads; actions: layer(number), head(name).
function picturesOf(panel, quantity, actions) {
  panel.film = Array.from({ length: depthOf(panel) }, () => tileOf(panel, { "aria-hidden": "true" }));
  panel.heads = quantity.heads ? Array.from({ length: headsOf(panel) }, () => tileOf(panel, { "aria-hidden": "true" })) : [];
  panel.main = tileOf(panel, { role: "img", tabindex: "0", "data-main": panel.place });
  panel.marker = make("div", { class: "marker", hidden: true });
  panel.reading = make("div", { class: "marker reading", hidden: true });
  panel.chip = make("div", { class: "chip", hidden: true });
  panel.main.frame.append(make("div", { class: "marks", "aria-hidden": "true" }, panel.marker, panel.reading, panel.chip));
  panel.bar = make("div", { class: "bar", "aria-hidden": "true" });
  panel.ends = [make("span"), make("span", { class: "unit" }), make("span")];
  const film = make("div", { class: "film", role: "radiogroup", "aria-label": `Layers, ${panel.title}` },
    ...panel.film.map((tile, i) => choiceOf(tile, String(i + 1), "layer", i + 1, actions.layer)));
  const heads = make("div", { class: "heads", role: "radiogroup", "aria-label": `Heads, ${panel.title}` },
    ...panel.heads.map((tile, i) => choiceOf(tile, String(i + 1), "head", String(i + 1), actions.head)));
  panel.headline = make("h4", {}, "");
  return [
    make("h4", {}, "Layers"), film,
    make("div", { class: "closer" },
      make("figure", { class: "large" }, panel.main.frame,
        make("figcaption", { class: "scale" }, panel.bar, make("div", { class: "ends" }, ...panel.ends))),
      make("div", { class: "side" }, panel.headline, heads)),
  ];
}

// Tiles and those that they share a range with, if any do; the chosen one, whose range the colour bar names,
// is one of the layers or one of the heads.
function peersOf(panel, view) {
  const one = panel.heads.length > 0 && Number(view.head) >= 1;
  return [[panel.film, panel.film], [panel.heads, panel.heads], [[panel.main], one ? panel.heads : panel.film]];
}

// New numbers for every tile; peers share a range where the scale says so.
function measurePictures(panel, quantity, view, source) {
  const signed = isSigned(quantity, view.sign);
  const block = Math.min(view.layer, depthOf(panel)) - 1;
  const give = (tile, row) => Object.assign(tile, { values: row ? row.values : null, signed, layerKey: "" });
  panel.film.forEach((tile, i) => give(tile, shownRow(panel, quantity, i, view.head, view.sign, source)));
  panel.heads.forEach((tile, h) => give(tile, shownRow(panel, quantity, block, String(h + 1), view.sign, source)));
  const here = shownRow(panel, quantity, block, view.head, view.sign, source);
  give(panel.main, here);
  panel.outside = here ? here.outside : [];
  for (const [tiles, peers] of peersOf(panel, view)) {
    const there = peers.filter((tile) => tile.values);
    for (const tile of tiles) if (tile.values) tile.scale = scaleTile(tile, there, view);
  }
}

function choose(list, kind, chosen) {
  for (const button of list.querySelectorAll(`[data-${kind}]`)) {
    const on = button.dataset[kind] === String(chosen);
    button.setAttribute("aria-checked", String(on));
    button.tabIndex = on ? 0 : -1;
  }
  const lost = list.querySelector(`[data-${kind}]`);
  if (lost && !list.querySelector('[tabindex="0"]')) lost.tabIndex = 0;
}

function headlineOf(panel, quantity, view) {
  if (!quantity.heads) return "This quantity has no heads of its own";
  const lost = Number(view.head) > headsOf(panel) ? `: there is no head ${view.head}, so the mean is shown` : "";
  return `Heads of layer ${Math.min(view.layer, depthOf(panel))}${lost}`;
}

// Everything of a panel's pictures that is not pixels: which is chosen, the colour bar, the marks, the words.
function labelPictures(panel, quantity, view, source, tables) {
  const block = Math.min(view.layer, depthOf(panel)) - 1;
  choose(panel.element, "layer", block + 1);
  choose(panel.element, "head", view.head);
  panel.headline.textContent = headlineOf(panel, quantity, view);
  const { main } = panel;
  if (main.values) {
    const rank = view.scale === "rank";
    panel.bar.style.backgroundImage = gradientOf(main.scale, view, tables);
    panel.ends[0].textContent = rank ? `#${main.scale.low}` : numeral(main.scale.low);
    panel.ends[1].textContent = rank ? "rank of the patch" : quantity.unit;
    panel.ends[2].textContent = rank ? `#${main.scale.high}` : numeral(main.scale.high);
  }
  markSquare(panel.marker, panel, quantity.sources ? panel.content.indexOf(source) : -1);
  main.canvas.setAttribute("aria-label", `${quantity.title}, ${panel.title}, layer ${block + 1}: ` +
    `from ${sourceText(panel, source)} on ${panel.picture.alt}. ${main.values ? extremes(panel, quantity) : ""}`);
}

// Puts a mark on a patch of the large picture, or takes it away.
function markSquare(mark, panel, patch) {
  mark.hidden = patch < 0;
  if (patch < 0) return;
  const [rows, columns] = panel.grid;
  const { seen } = panel.picture;
  const [row, column] = [Math.floor(patch / columns), patch % columns];
  const percent = (share) => `${100 * share}%`;
  mark.style.left = percent(seen.x + (column / columns) * seen.width);
  mark.style.top = percent(seen.y + (row / rows) * seen.height);
  mark.style.width = percent(seen.width / columns);
  mark.style.height = percent(seen.height / rows);
}

function sourceText(panel, source) {
  if (!panel.grid) return `\u201c${panel.tokens[source]}\u201d`;
  const patch = panel.content.indexOf(source);
  return patch < 0 ? "the class token" : `patch row ${Math.floor(patch / panel.grid[1]) + 1}, column ${(patch % panel.grid[1]) + 1}`;
}

// Where the shown row is largest, and smallest where values below zero are shown.
function extremes(panel, quantity) {
  const { values, signed } = panel.main;
  if (!values.some((v) => v !== 0)) return quantity.sources ? "Zero everywhere: nothing of this source counts here." : "Zero everywhere.";
  const best = (better) => {
    const at = values.reduce((found, v, i) => (better(v, values[found]) ? i : found), 0);
    const where = panel.grid ? `row ${Math.floor(at / panel.grid[1]) + 1}, column ${(at % panel.grid[1]) + 1}` : `\u201c${panel.tokens[panel.content[at]]}\u201d`;
    return `${where}: ${numeral(values[at])}`;
  };
  const high = best((a, b) => a > b);
  return signed ? `Highest at ${high}; lowest at ${best((a, b) => a < b)}.` : `Strongest at ${high}.`;
}
