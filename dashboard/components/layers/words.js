// The tokens of one panel: a row for every layer and every head, coloured; any token may be the source.

function cellsFor(panel, label, kind, place, choose) {
  const cells = panel.tokens.map((token, i) => make("span", { class: "cell", role: "cell", "data-token": i,
    "data-outside": !panel.content.includes(i) }));
  const button = make("button", { type: "button", class: "name", role: "radio", [`data-${kind}`]: place,
    onclick: () => choose(place) }, label);
  return { cells, parts: [make("div", { role: "rowheader" }, button), ...cells], values: null, shape: [1, panel.content.length] };
}

// Fills in panel.film, panel.heads, panel.main and panel.words; actions as in film.js, and source(token).
function wordsOf(panel, quantity, actions) {
  panel.words = panel.tokens.map((token, i) => make("button", { type: "button", class: "word", role: "radio", dir: "auto",
    "data-source": i, "data-outside": !panel.content.includes(i), title: token, disabled: !quantity.sources }, token));
  panel.film = Array.from({ length: depthOf(panel) }, (_, i) => cellsFor(panel, `Layer ${i + 1}`, "layer", i + 1, actions.layer));
  panel.heads = !quantity.heads ? []
    : Array.from({ length: headsOf(panel) }, (_, i) => cellsFor(panel, `Head ${i + 1}`, "head", String(i + 1), actions.head));
  panel.main = { values: null };
  panel.headline = make("h4", {}, "");
  panel.bar = make("div", { class: "bar", "aria-hidden": "true" });
  panel.ends = [make("span"), make("span", { class: "unit" }), make("span")];
  const rows = (tiles) => tiles.map((tile) => make("div", { class: "line", role: "row" }, ...tile.parts));
  const table = make("div", { class: "tokens" },
    make("div", { class: "line", role: "radiogroup", "aria-label": "Source token" },
      make("div", { class: "name" }, quantity.sources ? "From" : "Token"), ...panel.words),
    make("h4", { class: "across" }, "Layers"), ...rows(panel.film),
    panel.headline, ...rows(panel.heads));
  panel.headline.className = "across";
  table.style.setProperty("--tokens", panel.tokens.length);
  return [table, make("div", { class: "scale narrow" }, panel.bar, make("div", { class: "ends" }, ...panel.ends))];
}

function measureWords(panel, quantity, view, source) {
  const signed = isSigned(quantity, view.sign);
  const block = Math.min(view.layer, depthOf(panel)) - 1;
  const give = (tile, row) => Object.assign(tile, { values: row?.values ?? null, outside: row?.outside ?? [], signed });
  panel.film.forEach((tile, i) => give(tile, shownRow(panel, quantity, i, view.head, view.sign, source)));
  panel.heads.forEach((tile, h) => give(tile, shownRow(panel, quantity, block, String(h + 1), view.sign, source)));
  give(panel.main, shownRow(panel, quantity, block, view.head, view.sign, source));
  panel.outside = panel.main.outside;
  for (const [tiles, peers] of peersOf(panel, view)) {
    const there = peers.filter((tile) => tile.values);
    for (const tile of tiles) if (tile.values) tile.scale = fromZero(tile, scaleTile(tile, there, view), view);
  }
}

// A few words have no lowest value worth calling nothing, so that the colours begin at zero.
function fromZero(tile, scale, view) {
  if (scale.signed || !["map", "shared"].includes(view.scale)) return scale;
  const [low, high] = [Math.min(scale.low, 0), Math.max(scale.high, 0)];
  return { ...scale, field: scaled(tile.values, low, high, false), low, high };
}

function labelWords(panel, quantity, view, source, tables) {
  const block = Math.min(view.layer, depthOf(panel)) - 1;
  choose(panel.element, "layer", block + 1);
  choose(panel.element, "head", view.head);
  choose(panel.element, "source", source);
  panel.headline.textContent = headlineOf(panel, quantity, view);
  for (const tile of [...panel.film, ...panel.heads]) colourCells(panel, tile, view, tables);
  const { main } = panel;
  if (!main.values) return;
  const rank = view.scale === "rank";
  panel.bar.style.backgroundImage = gradientOf(main.scale, view, tables);
  panel.ends[0].textContent = rank ? `#${main.scale.low}` : numeral(main.scale.low);
  panel.ends[1].textContent = rank ? "rank of the token" : quantity.unit;
  panel.ends[2].textContent = rank ? `#${main.scale.high}` : numeral(main.scale.high);
}

// Start and end of text are outside the scale: their numbers are written, their colour says nothing.
function colourCells(panel, tile, view, tables) {
  if (!tile.values) return;
  const table = tableFor(tile.scale.signed, view, tables);
  let [word, other] = [0, 0];
  for (const cell of tile.cells) {
    const token = panel.tokens[Number(cell.dataset.token)];
    const outside = cell.dataset.outside !== undefined;
    const value = outside ? tile.outside[other++] : tile.values[word];
    cell.title = `${token}: ${numeral(value)}`;
    if (outside) {
      cell.textContent = numeral(value);
      continue;
    }
    const at = colourAt(tile.scale.field[word++], tile.scale.signed, table);
    cell.style.background = `rgb(${table.bytes[at]}, ${table.bytes[at + 1]}, ${table.bytes[at + 2]})`;
    cell.dataset.negative = String(tile.scale.signed && value < 0);
  }
}
