// The numbers of every curve, sortable by any column; those of the marked point change with it.

// name, title, what it says, whether lower is better (null: neither), the number of a line
function columnsOf(data, order, indices) {
  const least = order === "least";
  const area = (place) => (curve) => (least ? curve.least : curve.auc)[place];
  const at = (curve) => `${curve === "deletion" ? "Deletion" : "Insertion"} at ${percentText(data.shares[curve][indices[curve]])}`;
  const value = (curve) => (made) => made[kindOf(curve, order)][indices[curve]];
  const first = "with the most relevant units first";
  return [
    ["at_deletion", at("deletion"), `Score with this share of the ${plural(data)} deleted`, !least, value("deletion")],
    ["at_insertion", at("insertion"), `Score with this share of the ${plural(data)} inserted`, least, value("insertion")],
    ["deletion", "Deletion area", "Area under the deletion curve, by the trapezoid rule", !least, area(0)],
    ["insertion", "Insertion area", "Area under the insertion curve, by the trapezoid rule", least, area(1)],
    ["slope", "Drop per 10\u00a0%", `Mean drop of deletion over its first 30 %, ${first}`, false, (made) => made.slope],
    ["share90", "Share for 90\u00a0%", `Smallest share inserted that reaches 90 % of the untouched score, ${first}`, true, (made) => made.share90],
    ["aid", "AID", "Mean over the steps of deletion, least relevant first minus most relevant first, scaled from the fill's score to the untouched one's; only of deletion from 0 to 100 %", false, (made) => made.aid],
  ];
}

const plural = (data) => (data.unit === "patch" ? "patches" : "pixels");

function tableOf(data, view, indices, sort, stress) {
  const columns = columnsOf(data, view.order, indices);
  const lines = linesWith(data);
  const cells = new Map();
  const head = make("tr", {}, headerOf("method", "Method", "The order in which the methods were chosen", view, sort),
    ...columns.map(([name, title, help, lower]) => headerOf(name, title, `${help}. ${lower ? "Lower" : "Higher"} is better.`, view, sort, lower)));
  const rows = new Map();
  for (const line of sorted(lines, columns, view.sort)) {
    const row = make("tr", { class: line.colour ? "" : "control" },
      make("th", { scope: "row", title: `${line.label} ${line.detail}`.trim() }, swatchOf(line), make("span", {}, line.label),
        line.detail ? make("span", { class: "soft" }, line.detail) : null),
      ...columns.map(([name]) => {
        const cell = make("td", {});
        cells.set(`${name} ${data.lines.indexOf(line)}`, cell);
        return cell;
      }));
    row.addEventListener("pointerenter", () => stress(line));
    row.addEventListener("pointerleave", () => stress(null));
    rows.set(line, row);
  }
  const element = make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Numbers of the curves" },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.values())));
  return { element, cells, rows };
}

function headerOf(name, title, help, view, sort, lower) {
  const falling = view.sort === `-${name}`;
  const rising = view.sort === name;
  const arrow = make("i", { "aria-hidden": "true" }, falling ? "▼" : rising ? "▲" : "");
  const better = lower === undefined ? null : make("span", { class: "soft" }, lower ? "↓" : "↑");
  return make("th", { scope: "col", "aria-sort": falling ? "descending" : rising ? "ascending" : "none" },
    make("button", { type: "button", title: help, "data-sort": name, onclick: () => sort(name, lower) },
      make("span", { class: "title" }, title), better, arrow));
}

// Where there is no number, a line comes last in either direction.
function sorted(lines, columns, by) {
  const column = columns.find(([name]) => name === by.replace("-", ""));
  if (!column) return by === "-method" ? [...lines].reverse() : lines;
  const sign = by.startsWith("-") ? -1 : 1;
  const number = (line) => column[4](line.curve) ?? Infinity * sign;
  return [...lines].sort((a, b) => sign * (number(a) - number(b)) || 0);
}

// The numbers themselves, the best method's in bold; controls do not compete.
function fillTable(table, data, view, indices) {
  const columns = columnsOf(data, view.order, indices);
  if (view.sort.includes("at_")) {
    table.element.querySelector("tbody").append(...sorted(linesWith(data), columns, view.sort).map((line) => table.rows.get(line)));
  }
  for (const [name, title, , lower, number] of columns) {
    table.element.querySelector(`[data-sort="${name}"] .title`).textContent = title;
    const lines = linesWith(data);
    const own = lines.filter((line) => line.colour).map((line) => number(line.curve)).filter((value) => value !== null);
    const written = (value) => (value === null ? "–" : name === "share90" ? percentText(value) : numberText(value));
    const best = own.length > 1 ? written(lower ? Math.min(...own) : Math.max(...own)) : null;
    for (const line of lines) {
      const cell = table.cells.get(`${name} ${data.lines.indexOf(line)}`);
      cell.textContent = written(number(line.curve));
      cell.classList.toggle("best", Boolean(line.colour) && cell.textContent === best);
    }
  }
}
