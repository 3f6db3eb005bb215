// Pixels of one tile: picture, heat map, contours, outlines. Reads the display, keeps nothing but caches.

const PIXELS = 112; // shorter side, about, of an enlarged map
const FAINT = 0.12; // opacity of a picture that has no map yet
const STOPS = 33; // colours of a bar, blended between
const LEVELS = [0.25, 0.5, 0.75]; // contours where nothing is cut off

// Raw values to a field and the numbers at the ends of its colour bar; peers: tiles that share a scale.
function scaleTile(tile, peers, display) {
  const signed = peers.some((peer) => peer.signed);
  if (display.scale === "rank") {
    return { field: ranked(tile.values), signed: false, low: tile.values.length, high: 1 };
  }
  const maps = display.scale === "shared" ? peers.map((peer) => peer.values) : [tile.values];
  const [low, high] = limitsOf(maps, signed, display.scale === "clip");
  return { field: scaled(tile.values, low, high, signed), signed, low, high };
}

// A context that draws without the graphics card: small pictures, drawn seldom, wait longer for it than they take.
const drawing = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

// Sequential colours for positive maps, a diverging table for signed ones; a diverging choice serves both.
function tableFor(signed, display, tables) {
  const chosen = tables[display.colormap];
  return signed && !chosen.diverging ? Object.values(tables).find((table) => table.diverging) : chosen;
}

function colourAt(share, signed, table) {
  const position = signed || table.diverging ? 127.5 + 127.5 * share : 255 * share;
  return 3 * clamp(Math.round(position), 0, 255);
}

// An off-screen canvas of the map as it lies over the seen part of the picture.
function layerOf(tile, display, tables) {
  const { scale } = tile;
  const [rows, cols] = tile.shape;
  const factor = display.smooth ? clamp(Math.floor(PIXELS / Math.min(rows, cols)), 1, 16) : 1;
  const large = factor > 1 ? enlarge(scale.field, rows, cols, factor) : { field: scale.field, rows, cols };
  const from = keptFrom(scale.field, display);
  const table = tableFor(scale.signed, display, tables);
  const canvas = document.createElement("canvas");
  canvas.width = large.cols;
  canvas.height = large.rows;
  const context = drawing(canvas);
  const image = context.createImageData(large.cols, large.rows);
  const masked = display.draw === "masked";
  const cut = from > -Infinity;
  for (let i = 0; i < large.field.length; i++) {
    const strength = Math.abs(large.field[i]);
    const kept = strength >= from;
    if (masked) {
      image.data[4 * i + 3] = cut ? (kept ? 0 : 255) : Math.round(255 * (1 - strength));
    } else if (kept) {
      const at = colourAt(large.field[i], scale.signed, table);
      image.data[4 * i] = table.bytes[at];
      image.data[4 * i + 1] = table.bytes[at + 1];
      image.data[4 * i + 2] = table.bytes[at + 2];
      image.data[4 * i + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return { canvas, lines: display.contour ? contours(scale, large, from, factor > 1) : [] };
}

function contours(scale, large, from, smooth) {
  const trace = smooth ? contour : edges;
  const strength = scale.signed ? large.field.map(Math.abs) : large.field;
  const levels = from > -Infinity ? [from] : scale.signed ? [0.5] : LEVELS;
  return levels.map((level) => trace(strength, large.rows, large.cols, level));
}

// lines: [x1, y1, x2, y2, ...] in the unit square; box: where that lies on the canvas, in device pixels. Segments
// that follow each other become one path, which is stroked in a fraction of the time.
function strokeLines(context, lines, box, width, colour) {
  context.beginPath();
  for (let i = 0; i < lines.length; i += 4) {
    const joined = i > 0 && lines[i] === lines[i - 2] && lines[i + 1] === lines[i - 1];
    if (!joined) context.moveTo(box.x + lines[i] * box.width, box.y + lines[i + 1] * box.height);
    context.lineTo(box.x + lines[i + 2] * box.width, box.y + lines[i + 3] * box.height);
  }
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "rgba(0, 0, 0, .55)";
  context.lineWidth = width * 2.4;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

// Whether a prompt speaks of a true region: those that it does not name are drawn faintly.
const named = (name, prompt) => ` ${prompt.toLowerCase()} `.includes(` ${name.toLowerCase()} `);

// Where a part of the picture, given in shares of it, lies; surface: where the whole tile lies, in device pixels.
function placed(part, view, surface) {
  return {
    x: (surface.x ?? 0) + (part.x - view.x) * view.zoom * surface.width,
    y: (surface.y ?? 0) + (part.y - view.y) * view.zoom * surface.height,
    width: part.width * view.zoom * surface.width,
    height: part.height * view.zoom * surface.height,
  };
}

// Draws on tile.surface, a part of a canvas that several tiles share, or else on the tile's own canvas.
function paintTile(tile, display, view, tables) {
  const { picture } = tile;
  const surface = tile.surface ?? { context: drawing(tile.canvas), x: 0, y: 0,
    width: tile.canvas.width, height: tile.canvas.height };
  const { context } = surface;
  const pixel = window.devicePixelRatio || 1;
  const whole = placed({ x: 0, y: 0, width: 1, height: 1 }, view, surface);
  const alone = display.draw === "map" && tile.values;
  context.save();
  context.beginPath();
  context.roundRect(surface.x, surface.y, surface.width, surface.height, 3 * pixel);
  context.clip();
  context.clearRect(surface.x, surface.y, surface.width, surface.height);
  context.imageSmoothingEnabled = view.zoom < 6;
  if (tile.surface && !tile.values) context.globalAlpha = FAINT;
  if (!alone) context.drawImage(picture.element, whole.x, whole.y, whole.width, whole.height);
  if (tile.values) paintMap(tile, surface, display, view, tables, alone);
  if (picture.cropped) shadeUnseen(context, whole, placed(picture.seen, view, surface), alone);
  if (display.outlines) {
    for (const outline of picture.outlines) {
      context.globalAlpha = tile.values && named(outline.name, tile.label) ? 1 : 0.3;
      strokeLines(context, outline.lines, whole, 1.4 * pixel, "#8ff0d0");
    }
  }
  context.restore();
}

function paintMap(tile, surface, display, view, tables, alone) {
  const { context } = surface;
  const seen = placed(tile.picture.seen, view, surface);
  const key = JSON.stringify([display.colormap, display.scale, display.top, display.above, display.smooth,
    display.contour, display.draw === "masked"]);
  if (tile.layerKey !== key) Object.assign(tile, { layerKey: key, layer: layerOf(tile, display, tables) });
  context.imageSmoothingEnabled = display.smooth;
  context.globalAlpha = alone ? 1 : display.opacity;
  context.drawImage(tile.layer.canvas, seen.x, seen.y, seen.width, seen.height);
  context.globalAlpha = 1;
  for (const lines of tile.layer.lines) strokeLines(context, lines, seen, 1.1 * (window.devicePixelRatio || 1), "#fff");
}

// Darkens what the model did not see, and draws a line around what it saw.
function shadeUnseen(context, whole, seen, alone) {
  context.fillStyle = "rgba(10, 14, 16, .62)";
  context.beginPath();
  context.rect(whole.x, whole.y, whole.width, whole.height);
  context.rect(seen.x, seen.y, seen.width, seen.height);
  if (!alone) context.fill("evenodd");
  context.strokeStyle = "rgba(255, 255, 255, .5)";
  context.lineWidth = window.devicePixelRatio || 1;
  context.strokeRect(seen.x, seen.y, seen.width, seen.height);
}

// The colours from end to end, for a colour bar: a CSS gradient, which costs less than a canvas each.
function gradientOf(scale, display, tables) {
  const table = tableFor(scale.signed, display, tables);
  const stops = Array.from({ length: STOPS }, (_, i) => {
    const share = i / (STOPS - 1);
    const at = colourAt(scale.signed ? 2 * share - 1 : share, scale.signed, table);
    return `rgb(${table.bytes.slice(at, at + 3).join(" ")})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
