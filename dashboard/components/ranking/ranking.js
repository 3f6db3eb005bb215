// Choices ranked by probability. A click on a name gives the choice a row of maps, or takes it away.
// Text arrives by textContent and attributes only, never as HTML.

function part(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Probabilities far below one per cent are told apart too.
function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

function nameOf(choice, choose) {
  const name = part("span", { class: "name", dir: "auto" }, choice.name);
  if (choice.fixed) {
    return part("span", { class: "fixed", title: `${choice.name}: one of the first, which always have maps` }, name);
  }
  const press = part("button", { type: "button", class: "toggle", "aria-pressed": String(choice.picked), "data-choice": choice.name,
    title: `${choice.name}: ${choice.picked ? "take its maps away" : "show its maps"}` }, name);
  press.addEventListener("click", () => choose(choice.name));
  return press;
}

function barOf(choice) {
  const bar = part("div", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", `${100 * choice.share}%`);
  return bar;
}

function shareOf(share) {
  const cell = part("td", { class: "cell" }, percent(share));
  cell.style.setProperty("--strength", String(Math.sqrt(share)));
  return cell;
}

function rowOf(choice, choose) {
  const head = part("th", { scope: "row" }, nameOf(choice, choose), barOf(choice));
  return part("tr", choice.drawn ? { class: "drawn" } : {}, head, part("td", { class: "share" }, percent(choice.share)),
    ...choice.shares.map(shareOf));
}

function headsOf(images) {
  if (!images.length) return "";
  const heads = images.map(({ name, source }) => part("th", { scope: "col", title: name },
    part("img", { src: source, alt: "" }), part("span", { dir: "auto" }, name)));
  return part("thead", {}, part("tr", {}, part("td", {}), part("th", { scope: "col", class: "mean" }, "mean"), ...heads));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector(".sidelight-ranking");
  const scroll = parentElement.querySelector(".scroll");
  const focused = table.getRootNode().activeElement?.dataset?.choice;
  const choose = (name) => setTriggerValue("chosen", name);
  scroll.setAttribute("aria-label", data.label);
  table.setAttribute("aria-label", data.label);
  table.classList.toggle("bars", !data.images.length);
  table.replaceChildren(headsOf(data.images), part("tbody", {}, ...data.choices.map((choice) => rowOf(choice, choose))));
  parentElement.querySelector(".rest").textContent = data.rest;
  if (focused !== undefined) {
    [...table.querySelectorAll("button")].find((b) => b.dataset.choice === focused)?.focus({ preventScroll: true });
  }
}
