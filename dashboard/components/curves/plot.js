// The curves of one kind, all methods in one plot, and the point that is marked in it.

const EDGE = { left: 44, right: 14, top: 10, bottom: 24 };
const NEAR = 16; // pixels within which a curve is pointed at
const DASHES = ["", "7 3", "2 3"]; // where there are more methods than colours

// One range for both plots, so that they compare.
function rangeOf(data, order) {
  if (data.score.startsWith("top")) return [0, 1];
  const curves = linesWith(data).map((line) => line.curve);
  const values = curves.flatMap((c) => [...c[kindOf("deletion", order)], ...c[kindOf("insertion", order)], c.score])
    .filter((value) => value !== null);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = (high - low || 1) * 0.05;
  return [data.score === "probability" ? 0 : low - air, high + air];
}

const linesWith = (data) => data.lines.filter((line) => line.curve);

// actions: point(curve, index or null, line or null), keep(curve, index), step(event).
function plotOf(data, curve, order, width, height, [low, high], actions) {
  const shares = data.shares[curve];
  const inner = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
  const end = shares[shares.length - 1];
  const x = (share) => EDGE.left + (inner.width * share) / end;
  const y = (value) => EDGE.top + inner.height * (1 - (value - low) / (high - low));
  const across = ticksOf(0, 100 * end, width > 300 ? 5 : 2);
  const axes = [
    ...ticksOf(low, high, 6).map((value) => drawn("g", { class: value === 0 ? "tick zero" : "tick" },
      drawn("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      drawn("text", { x: EDGE.left - 7, y: y(value) + 4, "text-anchor": "end" }, value !== 0 && Math.abs(value) < 1e-3 ? numeral(value) : String(value).replace("-", "\u2212")))),
    ...across.map((percent) => drawn("g", { class: "tick" },
      drawn("text", { x: x(percent / 100), y: height - 7, "text-anchor": percent === 0 ? "start" : percent >= 100 * end - 1 ? "end" : "middle" },
        `${percent} %`))),
  ];
  const kind = kindOf(curve, order);
  const ordered = [...linesWith(data)].sort((a, b) => Boolean(a.colour) - Boolean(b.colour));
  const paths = new Map();
  const dots = new Map();
  for (const line of ordered) {
    const values = line.curve[kind];
    const points = values.map((value, i) => (value === null ? null : `${x(shares[i]).toFixed(1)},${y(value).toFixed(1)}`));
    paths.set(line, drawn("polyline", { class: line.colour ? "curve" : "curve control", style: colourOf(line), "data-line": line.label,
      points: points.filter(Boolean).join(" "), "stroke-dasharray": line.colour ? DASHES[line.round % DASHES.length] : "4 3" }));
    dots.set(line, drawn("circle", { class: line.colour ? "dot" : "dot control", r: line.colour ? 4 : 3, style: colourOf(line) }));
  }
  const untouched = ordered.find((line) => line.curve.score !== null)?.curve.score;
  const full = untouched === undefined ? [] : [
    drawn("line", { class: "full", x1: EDGE.left, x2: width - EDGE.right, y1: y(untouched), y2: y(untouched) })];
  const ruler = drawn("line", { class: "ruler", y1: EDGE.top, y2: EDGE.top + inner.height });
  const svg = drawn("svg", { class: "plot", width, height, tabindex: 0, role: "slider", "aria-label": `Marked point of ${curve}`,
    "aria-valuemin": 0, "aria-valuemax": shares.length - 1, "data-plot": curve },
    drawn("rect", { class: "ground", x: EDGE.left, y: EDGE.top, width: inner.width, height: inner.height }),
    ...axes, drawn("line", { class: "base", x1: EDGE.left, x2: width - EDGE.right, y1: EDGE.top + inner.height, y2: EDGE.top + inner.height }),
    ...full, ruler, ...paths.values(), ...dots.values());
  svg.mark = (index, here) => {
    ruler.setAttribute("x1", x(shares[index]));
    ruler.setAttribute("x2", x(shares[index]));
    ruler.classList.toggle("here", here);
    for (const [line, dot] of dots) {
      const value = line.curve[kind][index];
      dot.toggleAttribute("hidden", value === null);
      dot.setAttribute("cx", x(shares[index]));
      dot.setAttribute("cy", y(value ?? low));
    }
    svg.setAttribute("aria-valuenow", index);
    svg.setAttribute("aria-valuetext", pointText(data, curve, index));
  };
  svg.stress = (chosen) => {
    for (const group of [paths, dots]) {
      for (const [line, element] of group) {
        element.classList.toggle("chosen", line.place === chosen?.place);
        element.classList.toggle("faint", Boolean(chosen) && line.place !== chosen.place);
      }
    }
  };
  listenPlot(svg, shares, x, (index, at) => nearest(paths, kind, index, at, y), curve, actions);
  return svg;
}

function listenPlot(svg, shares, x, lineAt, curve, actions) {
  const read = (event) => {
    const box = svg.getBoundingClientRect();
    return [closest(shares.map(x), event.clientX - box.left), event.clientY - box.top];
  };
  svg.addEventListener("pointermove", (event) => {
    const [index, at] = read(event);
    if (event.buttons & 1 && svg.hasPointerCapture(event.pointerId)) actions.keep(curve, index);
    else actions.point(curve, index, lineAt(index, at));
  });
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    actions.keep(curve, read(event)[0]);
  });
  svg.addEventListener("pointerleave", () => actions.point(curve, null, null));
  svg.addEventListener("focus", () => actions.take(curve));
}

// Index of the number that is closest to `at`.
const closest = (numbers, at) =>
  numbers.reduce((best, value, i) => (Math.abs(value - at) < Math.abs(numbers[best] - at) ? i : best), 0);

function nearest(paths, kind, index, at, y) {
  let found = null;
  let least = NEAR;
  for (const line of paths.keys()) {
    const value = line.curve[kind][index];
    const distance = value === null ? Infinity : Math.abs(y(value) - at);
    if (distance < least || (distance === least && line.colour)) [found, least] = [line, distance];
  }
  return found;
}

const colourOf = (line) => (line.colour ? `--series: ${line.colour}` : `--series: var(--control)`);

function pointText(data, curve, index) {
  const count = data.changed[curve][index];
  const all = data.units[0] * data.units[1];
  const verb = curve === "deletion" ? "deleted" : "inserted";
  return `${percentText(data.shares[curve][index])}, ${count.toLocaleString("en")} of ${all.toLocaleString("en")} ${data.unit === "patch" ? "patches" : "pixels"} ${verb}`;
}

const percentText = (share) => `${Number((100 * share).toFixed(1))} %`;
