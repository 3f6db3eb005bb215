// The display options above the grid. They act in the browser alone; the page is told afterwards.

// A DOM element; text children become text nodes, so that nothing a user typed is read as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const DRAWS = [
  ["overlay", "Overlay", "Heat map over the picture"],
  ["map", "Map", "Heat map alone"],
  ["masked", "Masked", "Picture, darkened where the map is low"],
];
const SCALES = [
  ["map", "each map", "Every map from its own lowest to its highest value"],
  ["shared", "same method", "One range for all maps of a method, so that prompts compare"],
  ["clip", "2–98 %", "Each map without its 2 % lowest and highest values"],
  ["rank", "rank", "The order of the patches; compares across methods"],
];

function segmented(name, options, chosen, choose) {
  return make("div", { class: "segments", role: "group", "aria-label": name },
    ...options.map(([value, label, help]) =>
      make("button", { type: "button", title: help, "data-value": value, "aria-pressed": String(value === chosen),
        onclick: () => choose(value) }, label)));
}

function menu(name, options, chosen, choose) {
  const select = make("select", { "aria-label": name, "data-name": name, onchange: (event) => choose(event.target.value) },
    ...options.map(([value, label, help]) =>
      make("option", { value, title: help, selected: value === chosen }, label)));
  return select;
}

function slider(name, low, high, value, unit, change) {
  const shown = make("output", {}, `${value}${unit}`);
  const input = make("input", { type: "range", min: low, max: high, value, "aria-label": name,
    oninput: () => {
      shown.textContent = `${input.value}${unit}`;
      input.style.setProperty("--filled", `${(100 * (input.value - low)) / (high - low)}%`);
      change(Number(input.value));
    } });
  input.style.setProperty("--filled", `${(100 * (value - low)) / (high - low)}%`);
  return [input, shown];
}

function toggle(label, help, on, change) {
  return make("button", { type: "button", class: "toggle", title: help, "data-name": label, "aria-pressed": String(on),
    onclick: () => change(!on) }, label);
}

const field = (label, ...controls) => make("div", { class: "field" }, make("span", { class: "name" }, label), ...controls);

function keepField(display, change) {
  const byValue = display.above > 0;
  const choose = (how) => change(how === "above" ? { above: 50, top: 100 } : { above: 0, top: 100 }, true);
  return field("Keep",
    menu("What is kept", [["top", "top", "The strongest patches"], ["above", "above", "From a share of the scale"]],
      byValue ? "above" : "top", choose),
    ...(byValue ? slider("Threshold, per cent of the scale", 1, 99, display.above, " %", (above) => change({ above }))
      : slider("Strongest patches, per cent", 1, 100, display.top, " %", (top) => change({ top }))));
}

// change(values, redraw): takes new display values; redraw asks for the toolbar to be made anew.
function toolbarOf(display, tables, outlined, change, zoom) {
  const maps = Object.keys(tables).map((name) => [name, name, tables[name].diverging ? "diverging" : "sequential"]);
  const swatch = make("div", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundImage = gradientOf({ signed: false }, display, tables);
  return make("div", { class: "toolbar", role: "toolbar", "aria-label": "Display" },
    segmented("Draw", DRAWS, display.draw, (draw) => change({ draw }, true)),
    display.draw === "map" ? null
      : field("Opacity", ...slider("Opacity, per cent", 0, 100, Math.round(100 * display.opacity), " %",
        (percent) => change({ opacity: percent / 100 }))),
    keepField(display, change),
    field("Colours", swatch, menu("Colours", maps, display.colormap, (colormap) => change({ colormap }, true))),
    field("Scale", menu("Scale", SCALES, display.scale, (scale) => change({ scale }, true))),
    make("div", { class: "toggles" },
      toggle("Smooth", "Between patch centres, or square patches", display.smooth, (smooth) => change({ smooth }, true)),
      toggle("Contour", "Lines of equal relevance", display.contour, (contour) => change({ contour }, true)),
      outlined ? toggle("Outlines", "The set's masks or boxes", display.outlines, (outlines) => change({ outlines }, true)) : null,
      toggle("Transpose", "Swap rows and columns", display.transpose, (transpose) => change({ transpose }, true))),
    make("div", { class: "zoom", role: "group", "aria-label": "Zoom" },
      make("button", { type: "button", title: "Zoom out (−)", "aria-label": "Zoom out", onclick: () => zoom(1 / 1.5) }, "−"),
      make("button", { type: "button", class: "level", title: "Whole picture (0)", "aria-label": "Whole picture",
        onclick: () => zoom(0) }, "1×"),
      make("button", { type: "button", title: "Zoom in (+)", "aria-label": "Zoom in", onclick: () => zoom(1.5) }, "+")));
}
