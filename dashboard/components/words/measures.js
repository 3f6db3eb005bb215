// The prompt as words, once for every measure: coloured and underlined by weight. One selection for all rows.

// 'first-last' from 1, or '2', as [first, last] from 0; null for none.
function spanNamed(text) {
  if (!text) return null;
  const [first, last] = text.split("-").map((part) => Number(part) - 1);
  return [first, last ?? first];
}

const nameOf = (span) => (!span ? "" : span[0] === span[1] ? String(span[0] + 1) : `${span[0] + 1}-${span[1] + 1}`);

const inside = (place, span) => Boolean(span) && span[0] <= place && place <= span[1];

const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

// Largest magnitude among words and tokens: the end of this row's colours.
function topOf(values) {
  return Math.max(0, ...values.filter((value) => value !== null).map(Math.abs));
}

// Colour by sign and size; an underline says the same without colour: solid for, dotted against, thick for much.
function weigh(element, value, top) {
  const share = value === null || top === 0 ? 0 : value / top;
  element.style.setProperty("--share", Math.abs(share).toFixed(3));
  element.dataset.sign = value === null ? "none" : share < 0 ? "against" : "for";
}

function wordOf(app, measure, place) {
  const value = measure.values[place];
  const text = app.data.words[place];
  const said = value === null ? "not read by the model" : `${numeral(value)} ${measure.unit}`;
  const button = make("button", { type: "button", class: "word", "data-place": place, "data-row": measure.name,
    "aria-label": `${text}: ${said}`, "aria-pressed": "false", title: `${text}: ${said}`, disabled: !app.readable[place],
    tabindex: place === app.focus ? "0" : "-1" }, text);
  weigh(button, value, topOf(measure.values));
  return button;
}

function tokensOf(measure) {
  const top = topOf(measure.parts.flat().map(([, value]) => value));
  return make("div", { class: "parts", dir: "auto" }, ...measure.parts.flatMap((tokens, place) => tokens.map(([text, value]) => {
    const chip = make("span", { class: "part", "data-of": place }, make("span", { class: "word" }, text), make("span", { class: "number" }, numeral(value)));
    weigh(chip.firstChild, value, top);
    return chip;
  })));
}

function bodyOf(app, measure) {
  if (measure.reason) return make("p", { class: "soft", dir: "auto" }, measure.reason);
  if (measure.waiting) {
    return make("div", { class: "awaited" }, make("div", { class: "line-of-words", dir: "auto" },
      ...app.data.words.map((text) => make("span", { class: "word", "data-sign": "none" }, text))),
    make("div", { class: "track" }, make("div", { class: "moving" })), make("span", { class: "soft" }, measure.waiting));
  }
  return make("div", { class: "line-of-words", role: "group", "aria-label": measure.title, dir: "auto" },
    ...app.data.words.map((_, place) => wordOf(app, measure, place)));
}

function extrasOf(app, measure) {
  const extras = [];
  if (measure.outside) {
    const [start, end] = measure.outside.map(percent);
    extras.push(make("span", { title: "Of all weight on start, words and end" }, `start token ${start}, end token ${end} of the weight`));
  }
  if (measure.whole !== null) extras.push(make("span", {}, `whole prompt ${numeral(measure.whole)}`));
  if (measure.note) extras.push(make("span", { dir: "auto" }, measure.note));
  if (measure.parts.length) {
    extras.push(make("button", { type: "button", class: "expand", "aria-expanded": String(app.expanded), "data-name": "expand",
      onclick: () => { app.expanded = !app.expanded; layOut(app); } }, app.expanded ? "Hide sub-words" : "Sub-words"));
  }
  return extras;
}

function measureOf(app, measure) {
  const ends = topOf(measure.values);
  const legend = measure.values.some((value) => value !== null)
    ? make("span", { class: "legend", "aria-hidden": "true" }, measure.values.some((value) => value < 0) ? `\u2212${numeral(ends)} ` : "0 ",
      make("i", { class: measure.values.some((value) => value < 0) ? "both" : "one" }), ` ${numeral(ends)}`) : null;
  return make("section", { class: "measure", "data-measure": measure.name, "aria-label": measure.title },
    make("header", {}, make("h4", { title: measure.about }, measure.title), make("span", { class: "soft" }, measure.unit), legend),
    make("div", { class: "body" }, bodyOf(app, measure), app.expanded && measure.parts.length ? tokensOf(measure) : null,
      make("p", { class: "extras" }, ...extrasOf(app, measure))));
}

function markWords(app) {
  for (const button of app.root.querySelectorAll("button.word")) {
    const place = Number(button.dataset.place);
    button.setAttribute("aria-pressed", String(inside(place, app.span)));
    button.toggleAttribute("data-first", Boolean(app.span) && place === app.span[0]);
    button.toggleAttribute("data-last", Boolean(app.span) && place === app.span[1]);
    button.toggleAttribute("data-pointed", place === app.pointed);
  }
  for (const part of app.root.querySelectorAll("[data-of]")) part.toggleAttribute("data-chosen", inside(Number(part.dataset.of), app.span));
}

// What every measure says of a span, in words.
function sayWords(app) {
  const span = app.pointed !== null ? [app.pointed, app.pointed] : app.span;
  const hint = "Point at a word to read its weights; click to select it, drag over neighbours or hold Shift for a phrase.";
  app.status.classList.toggle("hint", !span);
  if (!span) return void (app.status.textContent = hint);
  const known = nameOf(span) === app.data.answers.words || span[0] === span[1];
  const text = app.data.words.slice(span[0], span[1] + 1).join(" ");
  const said = app.data.measures.map((measure) => {
    const value = span[0] === span[1] ? measure.values[span[0]] : known ? measure.phrase : null;
    return value === null || value === undefined ? null : `${measure.title} ${numeral(value)} ${measure.unit}`;
  });
  app.status.textContent = [text, ...said.filter(Boolean)].join(" · ");
}

// Wires all words of the rows: click, drag, Shift, keys. take(span) selects.
function listenWords(app, box, take) {
  const placeOf = (event) => {
    const button = event.target.closest?.("button.word:enabled");
    return button ? Number(button.dataset.place) : null;
  };
  let from = null;
  const between = (a, b) => [Math.min(a, b), Math.max(a, b)];
  const toggled = (held, place) => (nameOf(held) === nameOf([place, place]) ? null : [place, place]);
  box.addEventListener("pointerdown", (event) => {
    const place = placeOf(event);
    if (event.button !== 0 || place === null) return;
    from = { place, to: place, held: app.span, shift: event.shiftKey };
    event.target.closest("button").releasePointerCapture?.(event.pointerId);
  });
  box.addEventListener("pointerover", (event) => {
    const place = placeOf(event);
    app.pointed = place;
    if (from && place !== null && event.buttons === 1) {
      from.to = place;
      app.span = between(from.place, place);
    }
    markWords(app);
    sayWords(app);
  });
  box.addEventListener("pointerleave", () => {
    app.pointed = null;
    markWords(app);
    sayWords(app);
  });
  const signal = app.gone.signal; // the window stays when the page is left
  window.addEventListener("pointerup", () => {
    if (!from) return;
    const { place, to, held, shift } = from;
    from = null;
    if (place !== to) return take(between(place, to), place);
    if (shift && held) return take([Math.min(place, held[0]), Math.max(place, held[1])], place);
    take(toggled(held, place), place);
  }, { signal });
  window.addEventListener("pointercancel", () => { // a finger that scrolls after all
    if (!from) return;
    app.span = from.held;
    from = null;
    markWords(app);
    sayWords(app);
  }, { signal });
  box.addEventListener("click", (event) => {
    const place = placeOf(event);
    if (event.detail === 0 && place !== null) take(toggled(app.span, place), place); // keys and screen readers
  });
  box.addEventListener("keydown", (event) => {
    const place = placeOf(event);
    if (event.key === "Escape") take(null, place ?? 0);
    else {
      const right = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (place === null || !right || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = getComputedStyle(event.target.closest(".line-of-words")).direction === "rtl" ? -right : right;
      const last = app.readable.lastIndexOf(true);
      const next = clamp(place + step, 0, Math.max(last, 0));
      if (event.shiftKey) {
        const span = app.span && inside(place, app.span) ? app.span : [place, place];
        const fixed = place === span[0] && span[0] !== span[1] ? span[1] : span[0];
        take(between(fixed, next), next);
      }
      app.focus = next;
      box.querySelector(`[data-row="${event.target.closest("button").dataset.row}"][data-place="${next}"]`)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
}
