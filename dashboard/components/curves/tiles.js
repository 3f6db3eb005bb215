// The untouched picture, and every method's picture at the marked point.

function tilesOf(data, stress) {
  const first = tileOf({ label: "Untouched", detail: "", colour: "", curve: null, reason: "", waiting: "" }, data);
  first.element.classList.add("untouched");
  const tiles = data.lines.map((line) => {
    const tile = tileOf(line, data);
    tile.element.addEventListener("pointerenter", () => stress(line));
    tile.element.addEventListener("pointerleave", () => stress(null));
    return tile;
  });
  return { first, tiles };
}

function tileOf(line, data) {
  const [height, width] = data.base.shape;
  const canvas = make("canvas", { class: "shot", width, height, role: "img", "data-shot": line.label + line.detail });
  const frame = make("div", { class: "frame" }, canvas);
  frame.style.aspectRatio = `${width} / ${height}`;
  const name = make("figcaption", { title: [line.label, line.detail].filter(Boolean).join(" ") },
    line.colour || line.curve ? swatchOf(line) : null, make("span", { class: "title" }, line.label),
    line.detail ? make("span", { class: "detail" }, line.detail) : null);
  const value = make("b");
  const part = make("span", { class: "soft" });
  const element = make("figure", { class: line.colour ? "shotbox" : "shotbox control" }, name, frame,
    make("p", { class: "reading" }, value, part));
  if (line.reason || line.waiting) {
    frame.append(make("div", { class: "quiet" }, line.waiting ? make("div", { class: "track" }, make("div", { class: "moving" })) : null,
      make("p", { dir: "auto" }, line.reason || line.waiting)));
    canvas.hidden = true;
  }
  return { line, element, canvas, value, part };
}

function swatchOf(line) {
  const stroke = drawn("line", { x1: 0, x2: 18, y1: 5, y2: 5, class: line.colour ? "curve" : "curve control", style: colourOf(line),
    "stroke-dasharray": line.colour ? DASHES[line.round % DASHES.length] : "4 3" });
  return drawn("svg", { class: "key", width: 18, height: 10, "aria-hidden": "true" }, stroke);
}

function paint(canvas, pixels) {
  canvas.getContext("2d").putImageData(new ImageData(pixels, canvas.width, canvas.height), 0, 0);
}

// New pixels and numbers for a point. sent: the server's own pictures of it, by place, or null.
function showPoint({ first, tiles }, data, point, order, sent) {
  const { curve, index } = point;
  const kind = kindOf(curve, order);
  tiles.forEach((tile, place) => {
    const made = tile.line.curve;
    if (!made) return;
    const own = sent?.pictures[place];
    paint(tile.canvas, own ? opaque(own.values) : pictureAt(data, made.ranks.values, data.changed[curve][index], curve, order));
    const value = made[kind][index];
    tile.value.textContent = numberText(value);
    tile.part.textContent = shareOfFull(data, value, made.score);
    tile.canvas.setAttribute("aria-label",
      `${tile.line.label} ${tile.line.detail}: ${data.alt} with ${pointText(data, curve, index)}, score ${numberText(value)}`);
  });
  const score = linesWith(data)[0]?.curve.score ?? null;
  first.value.textContent = score === null ? "" : numberText(score);
  first.part.textContent = score === null ? "" : data.score;
  first.canvas.setAttribute("aria-label", `${data.alt}, untouched, as the model sees it`);
}

// Three decimals, or what is left of a number that has none of them.
function numberText(value) {
  if (value === null) return "none";
  return value !== 0 && Math.abs(value) < 5e-4 ? numeral(value) : value.toFixed(3).replace("-", "\u2212");
}

function shareOfFull(data, value, full) {
  if (value === null || !(full > 0) || data.score.startsWith("top")) return "";
  return `${Math.round((100 * value) / full)} %`.replace("-", "\u2212");
}
