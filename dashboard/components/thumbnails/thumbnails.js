// Draws buttons with pictures; a click sends the id. Runs again on every change of data.
// Text arrives by textContent and alt only, never as HTML.

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".thumbs");
  const root = list.getRootNode();
  const focused = root.activeElement?.dataset?.id;
  list.classList.toggle("strip", data.strip);
  list.style.setProperty("--side", `${data.side}px`);
  list.setAttribute("aria-label", data.label);

  const entries = data.pictures.map((picture) => {
    const entry = document.createElement("div");
    entry.setAttribute("role", "listitem");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.id = picture.id;
    button.title = picture.lines.join("\n") || picture.alt;
    if (picture.id === data.selected) button.setAttribute("aria-current", "true");
    button.onclick = () => setTriggerValue("chosen", picture.id);
    const image = document.createElement("img");
    image.src = picture.image;
    image.alt = picture.alt;
    button.append(image);
    for (const line of picture.lines) {
      const text = document.createElement("span");
      text.textContent = line;
      button.append(text);
    }
    entry.append(button);
    return entry;
  });
  list.replaceChildren(...entries);

  const button = [...list.querySelectorAll("button")].find((b) => b.dataset.id === focused);
  button?.focus({ preventScroll: true });
  const current = list.querySelector("[aria-current]");
  if (data.strip && current) {
    list.scrollLeft = current.offsetLeft - (list.clientWidth - current.offsetWidth) / 2;
  }
}
