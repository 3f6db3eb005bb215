// The bytes of a payload to panels of typed arrays; see `payload` in __init__.py.

const KINDS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const array = ({ at, type, shape }) => {
    const kind = KINDS[type];
    const size = kind.BYTES_PER_ELEMENT * shape.reduce((a, b) => a * b, 1);
    const from = 8 + length + at;
    return { values: new kind(bytes.slice(from, from + size).buffer), shape };
  };
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
