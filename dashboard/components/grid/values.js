// Numbers of the maps: decoding, ranking, scaling, resampling, contours. No DOM in here.
// A field is a Float32Array in row-major order: 0..1, or -1..1 where the map is signed.

const CLIP = 0.02; // share that the clipped scale leaves out at each end

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const floatsOf = (base64) => new Float32Array(bytesOf(base64).buffer);

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// 1 for the strongest patch; equal values share the best rank of theirs.
function ranksOf(values) {
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a]);
  const ranks = new Uint32Array(values.length);
  order.forEach((at, i) => {
    ranks[at] = i > 0 && values[at] === values[order[i - 1]] ? ranks[order[i - 1]] : i + 1;
  });
  return ranks;
}

function quantile(sorted, q) {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

// The raw values at the two ends of the colours. maps: all raw values that share them.
function limitsOf(maps, signed, clipped) {
  const all = Float32Array.from(maps.flatMap((values) => Array.from(values)));
  if (signed) for (let i = 0; i < all.length; i++) all[i] = Math.abs(all[i]);
  all.sort();
  const low = quantile(all, clipped ? CLIP : 0);
  const high = quantile(all, clipped ? 1 - CLIP : 1);
  if (clipped && (signed ? high === 0 : low === high)) return limitsOf(maps, signed, false);
  return [signed ? -high : low, high];
}

function scaled(values, low, high, signed) {
  const span = high - low;
  const field = new Float32Array(values.length);
  if (!(span > 0)) return field;
  for (let i = 0; i < values.length; i++) {
    const share = clamp((values[i] - low) / span, 0, 1);
    field[i] = signed ? 2 * share - 1 : share;
  }
  return field;
}

// The strongest patch 1, the weakest 0; equal values get the same share, the least of theirs.
function ranked(values) {
  const last = Math.max(values.length - 1, 1);
  const below = ranksOf(values.map((v) => -v));
  return Float32Array.from(below, (rank) => (rank - 1) / last);
}

// The strength from which patches are kept, or -Infinity for all of them.
function keptFrom(field, display) {
  if (display.above > 0) return display.above / 100;
  if (display.top >= 100) return -Infinity;
  const strengths = Float32Array.from(field, Math.abs).sort();
  return strengths[strengths.length - Math.max(1, Math.round((display.top / 100) * strengths.length))];
}

// Bilinear between patch centres, the outermost values held to the edge.
function enlarge(field, rows, cols, factor) {
  const width = cols * factor;
  const height = rows * factor;
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const v = clamp((y + 0.5) / factor - 0.5, 0, rows - 1);
    const top = Math.floor(v) * cols;
    const bottom = Math.min(Math.floor(v) + 1, rows - 1) * cols;
    const dy = v - Math.floor(v);
    for (let x = 0; x < width; x++) {
      const u = clamp((x + 0.5) / factor - 0.5, 0, cols - 1);
      const left = Math.floor(u);
      const right = Math.min(left + 1, cols - 1);
      const a = field[top + left] + (u - left) * (field[top + right] - field[top + left]);
      const b = field[bottom + left] + (u - left) * (field[bottom + right] - field[bottom + left]);
      out[y * width + x] = a + dy * (b - a);
    }
  }
  return { field: out, rows: height, cols: width };
}

// Marching squares: line segments [x1, y1, x2, y2, ...] in the unit square around field >= level.
// The border counts as below the level, so that every region is closed.
function contour(field, rows, cols, level) {
  const lines = [];
  const value = (r, c) => (r < 0 || c < 0 || r >= rows || c >= cols ? level - 1e-6 : field[r * cols + c]);
  const x = (c) => clamp((c + 0.5) / cols, 0, 1);
  const y = (r) => clamp((r + 0.5) / rows, 0, 1);
  const between = (a, b) => clamp((a - level) / (a - b), 0, 1);
  for (let r = -1; r < rows; r++) {
    for (let c = -1; c < cols; c++) {
      const nw = value(r, c), ne = value(r, c + 1), sw = value(r + 1, c), se = value(r + 1, c + 1);
      const inside = (nw >= level) + 2 * (ne >= level) + 4 * (se >= level) + 8 * (sw >= level);
      if (inside === 0 || inside === 15) continue;
      const north = [x(c) + between(nw, ne) * (x(c + 1) - x(c)), y(r)];
      const south = [x(c) + between(sw, se) * (x(c + 1) - x(c)), y(r + 1)];
      const west = [x(c), y(r) + between(nw, sw) * (y(r + 1) - y(r))];
      const east = [x(c + 1), y(r) + between(ne, se) * (y(r + 1) - y(r))];
      const pairs = {
        1: [west, north], 2: [north, east], 3: [west, east], 4: [east, south], 5: [west, north, east, south],
        6: [north, south], 7: [west, south], 8: [south, west], 9: [north, south],
        10: [north, east, south, west], 11: [east, south], 12: [west, east], 13: [north, east], 14: [west, north],
      }[inside];
      for (const point of pairs) lines.push(...point);
    }
  }
  return lines;
}

// The same for square patches: the edges between patches on either side of the level.
function edges(field, rows, cols, level) {
  const lines = [];
  const inside = (r, c) => r >= 0 && c >= 0 && r < rows && c < cols && field[r * cols + c] >= level;
  for (let r = 0; r <= rows; r++) {
    for (let c = 0; c <= cols; c++) {
      if (inside(r, c) !== inside(r - 1, c)) lines.push(c / cols, r / rows, (c + 1) / cols, r / rows);
      if (inside(r, c) !== inside(r, c - 1)) lines.push(c / cols, r / rows, c / cols, (r + 1) / rows);
    }
  }
  return lines;
}

// Three significant digits, as a person writes them.
function numeral(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e4 || size < 1e-3 ? value.toExponential(1) : value.toPrecision(size >= 1000 ? 4 : 3);
  return text.replace("e+", "e").replaceAll("-", "\u2212");
}

function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  const milliseconds = 1000 * seconds;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}
