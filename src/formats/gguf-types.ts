/**
 * Types of elements in GGUF files, by ggml's names and numbers (`ggml/include/ggml.h`, `ggml/src/ggml-common.h` of llama.cpp), and how
 * their blocks are read. A block is so many elements along a row, with their scale.
 *
 * | type | block | bytes | an element |
 * | --- | --- | --- | --- |
 * | Q8_0 | 32 | f16 d, 32 i8 q | d·q |
 * | Q1_0 | 128 | f16 d, 16 of bits, the least significant first | bit 1: d, bit 0: −d |
 * | TQ1_0 | 256 | 48 of five trits, 4 of four trits, f16 d | d·(trit − 1) |
 * | TQ2_0 | 256 | 64 of four pairs of bits, f16 d | d·(pair − 1) |
 *
 * Q1_0 is number 41 and has groups of 128 (llama.cpp's pull request 21273, which began with groups of 32 as number 40).
 */
import { ownBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { fromHalf, toHalf, widenBrains, widenHalves } from '../numerics/halves.ts';

/** How the elements of a type lie in a file. */
export interface GgufLayout {
  /** Number in files. */
  readonly code: number;
  /** Elements of a block. */
  readonly block: number;
  /** Bytes of a block. */
  readonly bytes: number;
}

/* @__NO_SIDE_EFFECTS__ */
const layout = (code: number, block: number, bytes: number): GgufLayout => ({ code, block, bytes });

/** All types that files have; of some, only how long they are is known here. */
export const GGUF_TYPES = {
  F32: layout(0, 1, 4),
  F16: layout(1, 1, 2),
  Q4_0: layout(2, 32, 18),
  Q4_1: layout(3, 32, 20),
  Q5_0: layout(6, 32, 22),
  Q5_1: layout(7, 32, 24),
  Q8_0: layout(8, 32, 34),
  Q2_K: layout(10, 256, 84),
  Q3_K: layout(11, 256, 110),
  Q4_K: layout(12, 256, 144),
  Q5_K: layout(13, 256, 176),
  Q6_K: layout(14, 256, 210),
  Q8_K: layout(15, 256, 292),
  IQ2_XXS: layout(16, 256, 66),
  IQ2_XS: layout(17, 256, 74),
  IQ3_XXS: layout(18, 256, 98),
  IQ1_S: layout(19, 256, 50),
  IQ4_NL: layout(20, 32, 18),
  IQ3_S: layout(21, 256, 110),
  IQ2_S: layout(22, 256, 82),
  IQ4_XS: layout(23, 256, 136),
  I8: layout(24, 1, 1),
  I16: layout(25, 1, 2),
  I32: layout(26, 1, 4),
  I64: layout(27, 1, 8),
  F64: layout(28, 1, 8),
  IQ1_M: layout(29, 256, 56),
  BF16: layout(30, 1, 2),
  TQ1_0: layout(34, 256, 54),
  TQ2_0: layout(35, 256, 66),
  MXFP4: layout(39, 32, 17),
  NVFP4: layout(40, 64, 36),
  Q1_0: layout(41, 128, 18),
} as const satisfies Readonly<Record<string, GgufLayout>>;

/** Name of a type. */
export type GgufType = keyof typeof GGUF_TYPES;

/** Writes the elements of a block. */
type Decode = (block: DataView, at: number, out: Float32Array, to: number) => void;

const DECODERS: Readonly<Partial<Record<GgufType, Decode>>> = {
  Q8_0: (bytes, at, out, to) => {
    const scale = fromHalf(bytes.getUint16(at, true));
    for (let i = 0; i < 32; i++) out[to + i] = scale * bytes.getInt8(at + 2 + i);
  },
  Q1_0: (bytes, at, out, to) => {
    const scale = fromHalf(bytes.getUint16(at, true));
    for (let i = 0; i < 128; i++) {
      out[to + i] = (bytes.getUint8(at + 2 + (i >> 3)) >> (i & 7)) & 1 ? scale : -scale;
    }
  },
  TQ1_0: (bytes, at, out, to) => {
    const scale = fromHalf(bytes.getUint16(at + 52, true));
    // Three runs of bytes; the first trits of all bytes of a run come first, then the second ones.
    let next = to;
    for (const [first, count, trits] of TRITS) {
      for (let n = 0, power = 1; n < trits; n++, power *= 3) {
        for (let m = 0; m < count; m++) {
          // A byte is a fraction of 256 in base 3: times 3^n, its next digit stands before the point.
          const rest = (bytes.getUint8(at + first + m) * power) & 255;
          out[next++] = scale * (((3 * rest) >> 8) - 1);
        }
      }
    }
  },
  TQ2_0: (bytes, at, out, to) => {
    const scale = fromHalf(bytes.getUint16(at + 64, true));
    for (let i = 0; i < 256; i++) {
      // Two runs of 32 bytes: the first pairs of all of a run, then the second ones.
      const byte = bytes.getUint8(at + 32 * (i >> 7) + (i & 31));
      out[to + i] = scale * (((byte >> (2 * ((i >> 5) & 3))) & 3) - 1);
    }
  },
};

/** Of TQ1_0: where bytes begin, how many, and trits of each. */
const TRITS = [
  [0, 32, 5],
  [32, 16, 5],
  [48, 4, 4],
] as const;

/** Elements that need no block. */
const PLAIN: Readonly<Partial<Record<GgufType, (bytes: ArrayBuffer) => Float32Array<ArrayBuffer>>>> = {
  F32: (bytes) => new Float32Array(bytes),
  F16: (bytes) => widenHalves(new Uint16Array(bytes)),
  BF16: (bytes) => widenBrains(new Uint16Array(bytes)),
};

/** Types whose elements are read. */
export const READ_TYPES = [...Object.keys(PLAIN), ...Object.keys(DECODERS)] as readonly GgufType[];

/**
 * Elements of whole blocks.
 * @param type one of `READ_TYPES`
 * @param blocks as they lie in a file
 * @returns f32, as many as the blocks hold
 */
export function decodeBlocks(type: GgufType, blocks: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const plain = PLAIN[type];
  if (plain !== undefined) return plain(ownBytes(blocks).buffer);
  const { block, bytes } = GGUF_TYPES[type];
  const decode = DECODERS[type] as Decode;
  const count = blocks.length / bytes;
  const out = new Float32Array(count * block);
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let i = 0; i < count; i++) decode(view, i * bytes, out, i * block);
  return out;
}

/**
 * Weights of one bit with a scale for each 128, as Q1_0 blocks: the mean magnitude, added up in f32 from the first to the last, as ggml's
 * `quantize_row_q1_0_ref` does it. sign(0) is +1.
 * @param values whole blocks
 * @throws FormatError for NaN, infinite weights, and weights whose mean magnitude is no half float
 */
export function encodeQ1(values: Float32Array, where: string): Uint8Array<ArrayBuffer> {
  const { block, bytes } = GGUF_TYPES.Q1_0;
  const out = new Uint8Array((values.length / block) * bytes);
  const view = new DataView(out.buffer);
  for (let from = 0, to = 0; from < values.length; from += block, to += bytes) {
    let sum = 0;
    for (let i = 0; i < block; i++) {
      const weight = values[from + i] ?? 0;
      sum = Math.fround(sum + Math.abs(weight));
      if (weight >= 0) out[to + 2 + (i >> 3)] = (out[to + 2 + (i >> 3)] ?? 0) | (1 << (i & 7));
    }
    const scale = toHalf(sum / block);
    if (!Number.isFinite(fromHalf(scale))) {
      throw new FormatError('The scale of a group of weights is no finite number.', {
        given: `a mean magnitude of ${sum / block}`,
        expected: 'less than 65520',
        where,
        remedy: 'leave this tensor out, or mend its weights',
      });
    }
    view.setUint16(to, scale, true);
  }
  return out;
}
