// One row of a quantity: from a source token to all patches or words. No DOM in here.
// A source is the index of a token, a block and a head are counted from 0.

// What a code says, as a share of its row's scale; see engine/layers/coding.py.
const SHARE_OF_CODE = {
  uint8: Float32Array.from({ length: 256 }, (_, code) => (code / 255) ** 2),
  int8: Float32Array.from({ length: 256 }, (_, at) => Math.sign(at - 128) * ((at - 128) / 127) ** 2),
};

const SIGNED = ["signed", "default"]; // a quantity with a sign keeps it unless asked otherwise

const depthOf = (panel) => panel.entropy.shape[0];
const headsOf = (panel) => panel.entropy.shape[1];
const headsIn = (panel, quantity) => (quantity.heads ? headsOf(panel) : 1);

// Raw values at patches or words and at the other tokens, or null where the rows have not come yet.
function rowOf(panel, quantity, block, head, source) {
  const { content } = panel;
  const heads = headsIn(panel, quantity);
  const values = new Float32Array(content.length);
  if (!quantity.sources || source === panel.row) {
    const { values: all, shape } = panel.pooled[quantity.name];
    const from = (block * heads + head) * shape[2];
    const inside = new Set(content);
    const outside = [];
    for (let i = 0; i < content.length; i++) values[i] = all[from + content[i]];
    for (let i = 0; i < shape[2]; i++) if (!inside.has(i)) outside.push(all[from + i]);
    return { values, outside };
  }
  const rows = panel.held[quantity.name]?.[block];
  if (!rows) return null;
  const { codes, scale, outside } = rows;
  const [, sources, tokens] = codes.shape;
  const signed = codes.values instanceof Int8Array;
  const table = signed ? SHARE_OF_CODE.int8 : SHARE_OF_CODE.uint8;
  const from = (head * sources + source) * tokens;
  const top = scale.values[head * sources + source];
  for (let i = 0; i < content.length; i++) {
    const code = codes.values[from + content[i]];
    values[i] = top * table[signed ? code + 128 : code];
  }
  const beside = outside.shape[2];
  const at = (head * sources + source) * beside;
  return { values, outside: Array.from(outside.values.subarray(at, at + beside)) };
}

// The part of a value that the sign asks for.
function partOf(value, quantity, sign) {
  if (!quantity.signed || SIGNED.includes(sign)) return value;
  return Math.max(sign === "negative" ? -value : value, 0);
}

// One row as it is shown: the sign first, as GAME does, then the head, the mean or the largest of all heads.
function shownRow(panel, quantity, block, choice, sign, source) {
  const heads = headsIn(panel, quantity);
  const one = Number(choice);
  const chosen = heads > 1 && one >= 1 && one <= heads ? [one - 1] : Array.from({ length: heads }, (_, h) => h);
  const rows = chosen.map((head) => rowOf(panel, quantity, block, head, source));
  if (rows.includes(null)) return null;
  const join = (lists) => lists[0].map((_, i) => {
    const parts = lists.map((list) => partOf(list[i], quantity, sign));
    if (choice === "max") return parts.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    return parts.reduce((a, b) => a + b, 0) / parts.length;
  });
  return { values: join(rows.map((row) => row.values)), outside: join(rows.map((row) => row.outside)) };
}

const isSigned = (quantity, sign) => quantity.signed && SIGNED.includes(sign);
