// Ranks of the methods for every fill. Called by Streamlit on the first drawing and whenever the data changes.

const MEASURES = [
  ["deletion", "Deletion area", "Area under the deletion curve; the lowest is first", true],
  ["insertion", "Insertion area", "Area under the insertion curve; the highest is first", false],
  ["aid", "AID", "Least relevant first minus most relevant first; the highest is first", false],
];
const PLACE = { top: 26, line: 30, left: 30 };
const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  let app = mounted.get(parentElement);
  if (!app || !parentElement.contains(app.root)) {
    const root = parentElement.querySelector(".sidelight-bump");
    app = { root, bars: root.querySelector(".bars"), status: root.querySelector(".status"), box: root.querySelector(".bump"),
      measure: "insertion", width: 0 };
    new ResizeObserver(() => draw(app)).observe(app.box);
    mounted.set(parentElement, app);
  }
  app.data = data;
  bars(app);
  app.width = 0;
  draw(app);
}

function bars(app) {
  const choose = (measure) => {
    Object.assign(app, { measure, width: 0 });
    bars(app);
    draw(app);
    app.bars.querySelector(`[data-value="${measure}"]`).focus();
  };
  app.bars.replaceChildren(make("div", { class: "toolbar", role: "toolbar", "aria-label": "What ranks the methods" },
    field("Ranked by", segmented("Ranked by", MEASURES, app.measure, choose))));
}

// Ranks by fill, the best 1; null where a method has no number there.
function ranksBy(data, measure) {
  const [, , , lower] = MEASURES.find(([name]) => name === measure);
  const ranks = data.lines.map(() => []);
  data.fills.forEach((_, f) => {
    const order = data.lines.map((line, i) => [line[measure][f], i]).filter(([value]) => value !== null)
      .sort((a, b) => (lower ? a[0] - b[0] : b[0] - a[0]) || a[1] - b[1]);
    data.lines.forEach((_, i) => ranks[i].push(null));
    order.forEach(([, i], place) => { ranks[i][f] = place + 1; });
  });
  return ranks;
}

// Pairs of methods, controls left out, whose order is not the same for all fills.
function flipsOf(data, measure) {
  const own = data.lines.filter((line) => line.colour);
  let [pairs, flipped] = [0, 0];
  own.forEach((a, i) => own.slice(i + 1).forEach((b) => {
    const signs = new Set(data.fills.map((_, f) => Math.sign((a[measure][f] ?? NaN) - (b[measure][f] ?? NaN))).filter((s) => s));
    pairs += 1;
    flipped += signs.size > 1 ? 1 : 0;
  }));
  return [flipped, pairs];
}

function statusText(data, measure) {
  const [flipped, pairs] = flipsOf(data, measure);
  if (!pairs) return "One method alone has no ranking; choose more.";
  const among = `${pairs} ${pairs === 1 ? "pair" : "pairs"} of methods`;
  return flipped ? `${flipped} of ${among} ${flipped === 1 ? "changes" : "change"} places with the fill; controls are grey and not counted.`
    : `None of ${among} changes places with the fill; controls are grey and not counted.`;
}

function draw(app) {
  const room = Math.round(app.box.clientWidth);
  if (!app.data || !room || room === app.width) return;
  app.width = room;
  const { data, measure } = app;
  const ranks = ranksBy(data, measure);
  const names = Math.min(190, room * 0.32);
  const width = Math.min(room, 860);
  const last = data.fills.length - 1;
  const x = (f) => PLACE.left + 26 + ((width - names - PLACE.left - 40) * f) / Math.max(last, 1);
  const y = (rank) => PLACE.top + (rank - 0.5) * PLACE.line;
  const places = data.lines.map((_, i) => i + 1);
  const groups = [];
  data.lines.forEach((line, i) => {
    const points = ranks[i].map((rank, f) => [rank, f]).filter(([rank]) => rank !== null);
    if (!points.length) return;
    const style = line.colour ? `--series: ${line.colour}` : "--series: var(--control)";
    const said = `${line.label} ${line.detail}: ${points.map(([rank, f]) => `${data.fills[f]} ${rank}`).join(", ")}`;
    const [rank, f] = points[points.length - 1];
    const name = drawn("text", { class: "name", x: x(f) + 14, y: y(rank) + 4 }, shortTo(`${line.label} ${line.detail}`.trim(), names));
    const group = drawn("g", { class: line.colour ? "method" : "method control", style, role: "img", "aria-label": said, "data-bump": line.label },
      drawn("title", {}, said),
      drawn("polyline", { class: "reach", points: points.map(([r, g]) => `${x(g)},${y(r)}`).join(" ") }),
      drawn("polyline", { class: line.colour ? "curve" : "curve control", points: points.map(([r, g]) => `${x(g)},${y(r)}`).join(" ") }),
      ...points.map(([r, g]) => drawn("circle", { class: line.colour ? "dot" : "dot control", cx: x(g), cy: y(r), r: line.colour ? 6 : 4 })),
      name);
    const stress = (on) => groups.forEach((other) => {
      other.classList.toggle("faint", on && other !== group);
      other.classList.toggle("chosen", on && other === group);
    });
    group.addEventListener("pointerenter", () => stress(true));
    group.addEventListener("pointerleave", () => stress(false));
    groups.push(group);
  });
  const heads = data.fills.map((fill, f) => drawn("text", { class: fill === data.current ? "fill current" : "fill", x: x(f), y: 14, "text-anchor": "middle" }, fill));
  const numbers = places.map((place) => drawn("text", { class: "place", x: PLACE.left - 8, y: y(place) + 4, "text-anchor": "end" }, String(place)));
  const controls = groups.filter((group) => group.classList.contains("control"));
  const height = PLACE.top + data.lines.length * PLACE.line + 4;
  app.box.replaceChildren(drawn("svg", { width, height, role: "group", "aria-label": "Rank of each method by fill" },
    ...heads, ...numbers, ...controls, ...groups.filter((group) => !controls.includes(group))));
  app.status.textContent = statusText(data, measure);
}

// About as much of a text as fits into `width` pixels.
function shortTo(text, width) {
  const most = Math.floor(width / 7);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
