/** Digests of what is too large to be kept. They tell mistakes apart, not forgeries. */

/** 32 bits of some words after some others: MurmurHash3's rounds (Appleby 2011). */
function mixed(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** 16 hexadecimal digits that follow from bytes and their number. */
export function digestOfBytes(bytes: Uint8Array): string {
  const words = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Two of them, since 32 bits are few.
  let [a, b] = [bytes.length | 0, 0x9e3779b9 | 0];
  for (let i = 0; i < words; i++) {
    const word = view.getInt32(4 * i, true);
    a = mixed(a, word);
    b = mixed(b, word ^ a);
  }
  for (const byte of bytes.subarray(4 * words)) [a, b] = [mixed(a, byte), mixed(b, byte ^ a)];
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Digests that are known already: an array is read once, however many trainings it has. */
const known = new WeakMap<ArrayBufferView, string>();

/** `digestOfBytes` of an array's memory, remembered. */
export function contentDigest(array: ArrayBufferView): string {
  const own =
    known.get(array) ?? digestOfBytes(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  known.set(array, own);
  return own;
}
