// The bytes of a payload to panels of typed arrays; see `payload` in __init__.py.

function unpack(bytes) {
  const { head, array } = opened(bytes);
  const arrays = (group) => Object.fromEntries(Object.entries(group).map(([name, place]) => [name, array(place)]));
  const tables = {};
  for (const table of head.tables) tables[table.name] = { bytes: array(table.bytes).values, diverging: table.diverging };
  const panels = head.panels.map((panel) => (panel.state !== "ready" ? panel : {
    ...panel,
    pooled: arrays(panel.pooled),
    shares: arrays(panel.shares),
    entropy: array(panel.entropy),
    distance: array(panel.distance),
    rows: Object.fromEntries(Object.entries(panel.rows).map(([block, rows]) => [block, arrays(rows)])),
  }));
  return { ...head, tables, panels };
}
