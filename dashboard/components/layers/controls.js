// The controls above the panels: what is shown and how, and the layer.

const SCALE_CHOICES = [
  ["map", "each map", "Every map from its own lowest to its highest value"],
  ["shared", "all layers", "One range for all layers, and one for all heads, so that they compare"],
  ["clip", "2–98 %", "Each map without its 2 % lowest and highest values"],
  ["rank", "rank", "The order of the patches or tokens"],
];
const SIGN_CHOICES = [
  ["positive", "For", "What raises the score"], ["signed", "Signed", "Both signs, zero in the middle of the colours"],
  ["negative", "Against", "What lowers the score"],
];

// Not while a slider is held and a row arrives: to replace it would end the drag. What is left out here (opacity,
// layer, head) its control shows by itself or is told by `refresh`.
function layOutControls(app, quantity) {
  const { quantities, depth, heads, view: { sign, colormap, scale, smooth } } = app;
  const pictures = app.panels.some((panel) => panel.picture);
  const bars = JSON.stringify([app.revision, quantities, quantity.name, heads, pictures, sign, colormap, scale, smooth]);
  if (bars !== app.barsDrawn) app.bars.replaceChildren(controlsOf(app, quantity, pictures));
  if (depth !== app.depthDrawn) app.stepper.replaceChildren(...(depth > 1 ? stepperOf(app) : []));
  Object.assign(app, { barsDrawn: bars, depthDrawn: depth });
}

function controlsOf(app, quantity, pictures) {
  const { view, tables } = app;
  const take = (name) => (value) => change(app, { [name]: value }, true);
  const names = [["mean", "mean of all", "The mean over heads"], ["max", "largest of all", "The head with the largest value, patch by patch"],
    ...Array.from({ length: app.heads }, (_, h) => [String(h + 1), `head ${h + 1}`, ""])];
  const maps = Object.keys(tables).map((name) => [name, name, tables[name].diverging ? "diverging" : "sequential"]);
  const swatch = make("div", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundImage = gradientOf({ signed: isSigned(quantity, view.sign) }, view, tables);
  return make("div", { class: "toolbar", role: "toolbar", "aria-label": "What is shown" },
    field("Show", menu("Quantity", app.quantities.map((q) => [q.name, q.title, q.about]), view.quantity, take("quantity"))),
    quantity.signed ? segmented("Sign", SIGN_CHOICES, isSigned(quantity, view.sign) ? "signed" : view.sign, take("sign")) : null,
    quantity.heads ? field("Heads", menu("Heads", names, view.head, take("head"))) : null,
    field("Colours", swatch, menu("Colours", maps, view.colormap, take("colormap"))),
    field("Scale", menu("Scale", SCALE_CHOICES, view.scale, take("scale"))),
    pictures ? field("Opacity", ...slider("Opacity, per cent", 0, 100, Math.round(100 * view.opacity), " %",
      (percent) => change(app, { opacity: percent / 100 }))) : null,
    pictures ? make("div", { class: "toggles" }, toggle("Smooth", "Between patch centres, or square patches", view.smooth, take("smooth"))) : null);
}

function stepperOf(app) {
  const input = make("input", { type: "range", min: 1, max: app.depth, step: 1, value: app.view.layer, "data-name": "layer-slider",
    "aria-label": "Layer", oninput: () => change(app, { layer: Number(input.value) }) });
  app.slider = input;
  app.sliderText = make("output", {});
  app.release = make("button", { type: "button", class: "release", onclick: () => keep(app, null) }, "");
  return [make("span", { class: "name" }, "Layer"), input, app.sliderText, app.release];
}
