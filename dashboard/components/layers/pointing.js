// Choosing sources and layers by pointer and keys. All panels follow.

// The patch under the pointer as shares of what the model sees, or null outside it.
function spotUnder(event, panel) {
  const box = panel.main.canvas.getBoundingClientRect();
  const { seen } = panel.picture;
  const x = ((event.clientX - box.left) / box.width - seen.x) / seen.width;
  const y = ((event.clientY - box.top) / box.height - seen.y) / seen.height;
  return x >= 0 && y >= 0 && x < 1 && y < 1 ? { x, y } : null;
}

const patchAt = (panel, spot) => Math.floor(spot.y * panel.grid[0]) * panel.grid[1] + Math.floor(spot.x * panel.grid[1]);
const spotOf = (panel, row, column) => ({ x: (column + 0.5) / panel.grid[1], y: (row + 0.5) / panel.grid[0] });

// The source as the view names it ('', 'row,column', or a token's place) to a token of a panel.
function sourceOf(panel, name, spot) {
  if (!panel.grid) {
    const token = Number(name) - 1;
    return name !== "" && token >= 0 && token < panel.tokens.length ? Math.floor(token) : panel.row;
  }
  return spot ? panel.content[patchAt(panel, spot)] : panel.row;
}

// 'row,column' from 1 to shares of the picture, by the grid that the link was made with; null for no such patch.
function spotNamed(panel, name) {
  const [row, column] = name.split(",").map((part) => Number(part) - 1);
  const there = row >= 0 && column >= 0 && row < panel.grid[0] && column < panel.grid[1];
  return there ? spotOf(panel, Math.floor(row), Math.floor(column)) : null;
}

function nameOf(panel, spot) {
  const patch = patchAt(panel, spot);
  return `${Math.floor(patch / panel.grid[1]) + 1},${(patch % panel.grid[1]) + 1}`;
}

// Wires the large picture. actions: point(spot or null), keep(spot or null), read(panel, patch or -1), kept().
function listenPicture(panel, actions) {
  const { canvas } = panel.main;
  canvas.addEventListener("pointermove", (event) => {
    const spot = spotUnder(event, panel);
    if (actions.sources() && !actions.kept()) actions.point(spot);
    else actions.read(panel, spot ? patchAt(panel, spot) : -1);
  });
  canvas.addEventListener("pointerleave", () => {
    if (actions.sources() && !actions.kept()) actions.point(null);
    actions.read(panel, -1);
  });
  canvas.addEventListener("click", (event) => {
    const spot = spotUnder(event, panel);
    if (!spot || !actions.sources()) return;
    const again = actions.kept() && patchAt(panel, actions.kept()) === patchAt(panel, spot);
    actions.keep(again ? null : spot);
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !actions.sources()) return;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Escape") actions.keep(null);
    else if (step) {
      const [rows, columns] = panel.grid;
      const from = actions.kept() ? patchAt(panel, actions.kept())
        : Math.floor(rows / 2) * columns + Math.floor(columns / 2) - step[0] * columns - step[1];
      const row = clamp(Math.floor(from / columns) + step[0], 0, rows - 1);
      const column = clamp((from % columns) + step[1], 0, columns - 1);
      actions.keep(spotOf(panel, row, column));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

// Wires the tokens of a text: pointing shows a token's row, a click or the arrow keys keep it.
function listenWords(panel, actions) {
  panel.words.forEach((word, i) => {
    word.addEventListener("pointerenter", () => actions.hover(i));
    word.addEventListener("pointerleave", () => actions.hover(null));
    word.addEventListener("click", () => actions.source(i));
    word.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") actions.source(null);
      else if (!step) return;
      else {
        const next = clamp(i + step, 0, panel.words.length - 1);
        actions.source(next);
        panel.words[next].focus();
      }
      event.preventDefault();
      event.stopPropagation();
    });
  });
}

// Arrow keys within a strip of choices, as in any group of radio buttons.
function listenStrip(strip, kind, take) {
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const button = event.target.closest(`[data-${kind}]`);
    if (!step || !button || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...strip.querySelectorAll(`[data-${kind}]`)];
    const next = all[clamp(all.indexOf(button) + step, 0, all.length - 1)];
    take(next.dataset[kind]);
    next.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}
