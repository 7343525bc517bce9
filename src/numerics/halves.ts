/** Floats of 16 bits: IEEE 754's binary16, and bfloat16, the upper half of a binary32. */

/** The number that the bits of a binary16 stand for. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The number that the bits of a bfloat16 stand for. */
export function fromBrain(bits: number): number {
  const word = new DataView(new ArrayBuffer(4));
  word.setUint16(0, bits);
  return word.getFloat32(0);
}

let table: Float32Array<ArrayBuffer> | undefined;

/** Numbers of many binary16. */
export function widenHalves(bits: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 65_536 }, (_, i) => fromHalf(i));
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = table[bits[i] ?? 0] ?? 0;
  return numbers;
}

/** Numbers of many bfloat16. */
export function widenBrains(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

/** Bits of the nearest binary16; of two as near ones the even one; infinite from 65520 on. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // Places lie 2^(exponent - 10) apart, below 2^-14 all alike.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const places = size * 2 ** (10 - exponent);
  const whole = Math.floor(places);
  const rest = places - whole;
  const rounded = whole + (rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? 1 : 0);
  // A carry of the fraction is one more of the exponent.
  return sign | ((exponent + 14) * 1024 + rounded);
}
