// Pairs of methods: rank correlation below the diagonal, overlap of the strongest patches above it.

function part(tag, attributes, text) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function cell(data, row, column, choose) {
  const held = document.createElement("td");
  if (row === column) {
    held.className = "same";
    held.textContent = "·";
    return held;
  }
  const below = row > column;
  const value = (below ? data.rank : data.overlap)[row][column];
  const text = value === null ? "–" : below ? value.toFixed(2).replace("-", "\u2212") : `${Math.round(100 * value)} %`;
  const what = below ? "rank correlation" : "overlap of the strongest patches";
  const pair = [Math.min(row, column), Math.max(row, column)];
  const chosen = data.pair !== null && data.pair[0] === pair[0] && data.pair[1] === pair[1];
  const button = part("button", {
    type: "button", class: below ? (value < 0 ? "rank against" : "rank") : "overlap", "aria-pressed": String(chosen),
    "aria-label": `${data.labels[row]} and ${data.labels[column]}: ${what} ${text}. Show the difference map.`,
    title: `${data.labels[row]} and ${data.labels[column]}: ${what}`, "data-pair": `${row},${column}` }, text);
  button.style.setProperty("--strength", String(Math.abs(value ?? 0)));
  button.addEventListener("click", () => choose(chosen ? null : pair));
  held.append(button);
  return held;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector(".sidelight-matrix");
  const focused = table.getRootNode().activeElement?.dataset?.pair;
  const choose = (pair) => setTriggerValue("pair", { pair });
  const head = part("thead", {});
  const titles = head.appendChild(part("tr", {}));
  titles.append(part("td", {}), ...data.labels.map((label) => part("th", { scope: "col" }, label)));
  const body = part("tbody", {});
  data.labels.forEach((label, row) => {
    const line = body.appendChild(part("tr", {}));
    line.append(part("th", { scope: "row" }, label), ...data.labels.map((_, column) => cell(data, row, column, choose)));
  });
  table.setAttribute("aria-label", "Agreement of the methods");
  table.replaceChildren(head, body);
  if (focused) table.querySelector(`[data-pair="${focused}"]`)?.focus({ preventScroll: true });
}
