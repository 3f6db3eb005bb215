// The picture at a point of a curve, from the order of the units. No DOM in here.

const kindOf = (curve, order) => (order === "least" ? `${curve}_least` : curve);

// Whether the unit of this rank is still the picture's own after `changed` units.
function keptUnit(rank, units, changed, curve, order) {
  const first = order === "least" ? units - 1 - rank : rank;
  return curve === "insertion" ? first < changed : first >= changed;
}

// RGBA of the picture where it is kept, else of the fill. data: as opened by main.js.
function pictureAt(data, ranks, changed, curve, order) {
  const [rows, columns] = data.units;
  const [fullWidth, fullHeight] = data.size;
  const [height, width] = data.base.shape;
  const base = data.base.values;
  const instead = data.instead[curve].values;
  const units = rows * columns;
  const patches = data.unit === "patch";
  const kept = new Uint8Array(ranks.length);
  for (let i = 0; i < ranks.length; i++) kept[i] = keptUnit(ranks[i], units, changed, curve, order) ? 1 : 0;
  const across = Uint32Array.from({ length: width }, (_, x) => (patches ? Math.floor((x * data.every * columns) / fullWidth) : x));
  const line = patches ? columns : width;
  const out = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, to = 0, from = 0; y < height; y++) {
    const start = (patches ? Math.floor((y * data.every * rows) / fullHeight) : y) * line;
    for (let x = 0; x < width; x++, to += 4, from += 3) {
      const source = kept[start + across[x]] ? base : instead;
      out[to] = source[from];
      out[to + 1] = source[from + 1];
      out[to + 2] = source[from + 2];
      out[to + 3] = 255;
    }
  }
  return out;
}

// Three bytes a pixel to four.
function opaque(rgb) {
  const out = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    out[to] = rgb[from];
    out[to + 1] = rgb[from + 1];
    out[to + 2] = rgb[from + 2];
    out[to + 3] = 255;
  }
  return out;
}
