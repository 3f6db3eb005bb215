// The bytes that packing.py made: the JSON, and array(place) for the typed arrays that it names.

const KINDS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, uint32: Uint32Array };

function opened(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const array = ({ at, type, shape }) => {
    const kind = KINDS[type];
    const size = kind.BYTES_PER_ELEMENT * shape.reduce((a, b) => a * b, 1);
    const from = 8 + length + at;
    return { values: new kind(bytes.slice(from, from + size).buffer), shape };
  };
  return { head, array };
}
