// Methods by metrics. A click on a head chooses its metric, on a name its method, on a cell both.
// Text arrives by textContent and attributes only, never as HTML.

function part(tag, attributes, text) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(id, label, pressed, press) {
  const made = part("button", { type: "button", "data-id": id, "aria-label": label, "aria-pressed": String(pressed) });
  made.addEventListener("click", press);
  return made;
}

function head(entry, data, choose) {
  const held = part("th", { scope: "col" });
  held.classList.toggle("chosen", entry.name === data.metric);
  const said = `${entry.title} ${entry.arrow}. ${entry.hint} Sort and draw by it.`;
  const pressed = button(`head ${entry.name}`, said, entry.name === data.metric, () => choose(entry.name, ""));
  pressed.title = entry.hint;
  pressed.append(part("span", {}, entry.title), part("span", { class: "arrow" }, entry.arrow));
  held.append(pressed);
  return held;
}

function cell(entry, line, column, data, choose) {
  const held = part("td", {});
  held.classList.toggle("chosen", column.name === data.metric);
  if (!entry.value) {
    held.append(part("span", { class: "none" }, "–"));
    return held;
  }
  const both = column.name === data.metric && line.name === data.method;
  const said = `${line.title} ${line.detail}, ${column.title}: ${entry.said} Show its images.`;
  const pressed = button(`${line.name} ${column.name}`, said, both, () => choose(column.name, line.name));
  pressed.title = `${line.title}: ${entry.said}`;
  pressed.classList.toggle("strong", entry.strong);
  pressed.style.setProperty("--tint", entry.tint < 0 ? "var(--against)" : "var(--accent)");
  pressed.style.setProperty("--strength", String(Math.abs(entry.tint)));
  const value = part("span", { class: "value" });
  value.append(entry.value, part("sup", {}, entry.mark));
  pressed.append(part("span", { class: "before" }, entry.before), value, part("span", { class: "below" }, entry.below));
  held.append(pressed);
  return held;
}

function row(line, data, choose) {
  const held = part("tr", {});
  held.classList.toggle("quiet", line.quiet);
  held.classList.toggle("chosen", line.name === data.method);
  const name = part("th", { scope: "row" });
  const pressed = button(`line ${line.name}`, `${line.title} ${line.detail}. Look at it.`, line.name === data.method, () =>
    choose("", line.name),
  );
  pressed.append(part("span", {}, line.title), part("span", { class: "below" }, line.detail));
  name.append(pressed);
  held.append(name, ...line.cells.map((entry, place) => cell(entry, line, data.heads[place], data, choose)));
  return held;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector(".sidelight-scores");
  const focused = table.getRootNode().activeElement?.dataset?.id;
  const choose = (metric, method) => setTriggerValue("chosen", { metric, method });
  const heads = part("thead", {});
  heads
    .appendChild(part("tr", {}))
    .append(part("td", { class: "corner" }), ...data.heads.map((entry) => head(entry, data, choose)));
  const body = part("tbody", {});
  body.append(...data.lines.map((line) => row(line, data, choose)));
  table.setAttribute("aria-label", data.label);
  table.replaceChildren(heads, body);
  if (focused !== undefined) {
    [...table.querySelectorAll("button")].find((b) => b.dataset.id === focused)?.focus({ preventScroll: true });
  }
}
