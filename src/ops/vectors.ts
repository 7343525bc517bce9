/**
 * Hypervectors: vectors of signs as hyperdimensional computing has them (Kanerva 2009), 32 to a word. Bit 1 is −1, so that binding
 * by XOR is the product of signs, and similarity is K − 2 · (differing signs): `binaryMatMul` gives it for all pairs.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { type ProgramBuilder, sizeOf, type Tensor, wordsFor } from '../gpu/index.ts';
import { choose } from '../kernels/variants.ts';
import {
  bindVectors,
  bundleVectors,
  items,
  levels,
  mergeNearest,
  rotateVectors,
  SEARCH,
} from '../kernels/vectors.ts';
import { feistelHalfBits } from '../numerics/random.ts';
import { assertDType, assertShapeIs, type OutOption, resultTensor } from './checks.ts';

/** Nearest keys that a query may ask for. */
export const MOST_NEAREST = 64;

/** Lists that an invocation merges. */
const LISTS = 32;
/** Chunks of keys that are searched at once, over all queries: a software adapter is full with few, and fewer lists are kept. */
const chunksOn = ({ adapter }: ProgramBuilder['gpu']) => (adapter.software ? 512 : 16_384);

function positive(value: number, name: string, where: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new OptionError('This is a positive integer.', { given: `${name} = ${value}`, where });
}

function seedOf(seed: number, where: string): number {
  if (Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed;
  throw new OptionError('A seed is an integer of 32 bits.', { given: `seed = ${seed}`, where });
}

/** Rows of packed vectors, and their length. */
function rowsOf(x: Tensor, where: string): { readonly ROWS: number; readonly BITS: number } {
  assertDType(x, 'bits', where);
  const BITS = x.shape.at(-1) ?? 1;
  return { ROWS: sizeOf(x.shape) / BITS, BITS };
}

/** Random vectors, one for each of `rows` things; the same for the same seed everywhere. @returns bits [rows, bits] @throws OptionError */
export function itemMemory(
  b: ProgramBuilder,
  options: OutOption & { readonly rows: number; readonly bits: number; readonly seed: number },
): Tensor {
  const where = 'itemMemory';
  const [ROWS, BITS] = [positive(options?.rows, 'rows', where), positive(options.bits, 'bits', where)];
  const out = resultTensor(b, where, [ROWS, BITS], 'bits', options.out);
  b.dispatch(items, { out }, { ROWS, BITS, SEED: seedOf(options.seed, where) });
  return out;
}

/**
 * Vectors for `rows` levels of a quantity: the first is random, the similarity of two falls evenly with their distance, and that
 * of the ends is 0 (thermometer); `circular`: the last is next to the first, and opposite levels have the similarity 0.
 * Source: Rahimi et al. 2016; circular: Nunes et al. 2022, arXiv 2205.07920.
 * @returns bits [rows, bits]
 * @throws OptionError
 */
export function levelMemory(
  b: ProgramBuilder,
  options: OutOption & {
    readonly rows: number;
    readonly bits: number;
    readonly seed: number;
    readonly circular?: boolean | undefined;
  },
): Tensor {
  const where = 'levelMemory';
  const [ROWS, BITS] = [positive(options?.rows, 'rows', where), positive(options.bits, 'bits', where)];
  // Half of the bits times levels stays below 2^32 in the shader.
  if ((BITS / 2) * ROWS >= 2 ** 32) {
    throw new OptionError('These are too many levels of too many bits.', {
      given: `${ROWS} x ${BITS}`,
      where,
    });
  }
  const out = resultTensor(b, where, [ROWS, BITS], 'bits', options.out);
  const constants = { ROWS, BITS, SEED: seedOf(options.seed, where), HALF_BITS: feistelHalfBits(BITS) };
  b.dispatch(levels, { out }, { ...constants, CIRCULAR: options.circular === true ? 1 : 0 });
  return out;
}

/**
 * Binds vectors: the products of their signs, which are like neither, and give one back when bound to the other again.
 * @param x bits [..., K]
 * @param y bits of the same shape, or one vector [K] that all are bound to
 * @returns bits [..., K]
 * @throws ShapeError
 */
export function bind(b: ProgramBuilder, x: Tensor, y: Tensor, options: OutOption = {}): Tensor {
  const where = 'bind';
  const rows = rowsOf(x, where);
  const others = rowsOf(y, where);
  if (others.BITS !== rows.BITS || (others.ROWS !== 1 && others.ROWS !== rows.ROWS)) {
    throw new ShapeError('Vectors that are bound are as long, and as many or one.', {
      given: `[${x.shape.join(', ')}] and [${y.shape.join(', ')}]`,
      where,
    });
  }
  const out = resultTensor(b, where, x.shape, 'bits', options.out);
  b.dispatch(bindVectors, { x, y, out }, { ...rows, OTHERS: others.ROWS, NEGATE: 0 });
  return out;
}

/** The opposite vectors. @param x bits [..., K] @returns bits [..., K] @throws ShapeError */
export function negate(b: ProgramBuilder, x: Tensor, options: OutOption = {}): Tensor {
  const rows = rowsOf(x, 'negate');
  const out = resultTensor(b, 'negate', x.shape, 'bits', options.out);
  // Something has to be bound; it isn't read.
  b.dispatch(bindVectors, { x, y: x, out }, { ...rows, OTHERS: 0, NEGATE: 1 });
  return out;
}

/**
 * Rotates vectors, which is what marks a place in a sequence: sign i goes to place i + by.
 * @param x bits [..., K]
 * @param by any integer
 * @returns bits [..., K]
 * @throws ShapeError, OptionError
 */
export function rotate(b: ProgramBuilder, x: Tensor, by: number, options: OutOption = {}): Tensor {
  const where = 'rotate';
  const rows = rowsOf(x, where);
  if (!Number.isSafeInteger(by)) {
    throw new OptionError('Vectors are rotated by an integer.', { given: `${by}`, where });
  }
  const out = resultTensor(b, where, x.shape, 'bits', options.out);
  const SHIFT = ((by % rows.BITS) + rows.BITS) % rows.BITS;
  b.dispatch(rotateVectors, { x, out }, { ...rows, SHIFT });
  return out;
}

/**
 * Bundles the vectors of every group: the sign of their sum, which is like each of them; where the sum is 0, a sign by the seed.
 * @param x bits [..., N, K]
 * @param options.weights i32 [..., N]: what each counts, negative ones too; their absolute values sum to less than 2³¹
 * @returns bits [..., K]
 * @throws ShapeError, OptionError
 */
export function bundle(
  b: ProgramBuilder,
  x: Tensor,
  options: OutOption & { readonly seed: number; readonly weights?: Tensor | undefined },
): Tensor {
  const where = 'bundle';
  assertDType(x, 'bits', where);
  const { weights } = options;
  const [ROWS, BITS] = [x.shape.at(-2), x.shape.at(-1) ?? 1];
  if (ROWS === undefined) {
    throw new ShapeError('A bundle is of several vectors.', { given: `[${x.shape.join(', ')}]`, where });
  }
  if (weights !== undefined) {
    assertDType(weights, 'i32', where);
    assertShapeIs(weights, x.shape.slice(0, -1), where);
  }
  const shape = [...x.shape.slice(0, -2), BITS];
  const out = resultTensor(b, where, shape, 'bits', options.out);
  const constants = { GROUPS: sizeOf(shape) / BITS, ROWS, BITS, SEED: seedOf(options.seed, where) };
  const WEIGHTED = weights === undefined ? 0 : 1;
  // Something has to be bound; without weights it isn't read.
  b.dispatch(bundleVectors, { x, weights: weights ?? x, out }, { ...constants, WEIGHTED });
  return out;
}

/**
 * The nearest keys of every query, in one pass: no distance but the nearest is ever in memory.
 * @param queries bits [Q, K]
 * @param keys bits [N, K]
 * @param count how many, 1 to `MOST_NEAREST`, no more than there are keys
 * @returns u32 [Q, count, 2]: differing signs and the key, the nearest first, of equal ones the lower key first
 * @throws ShapeError, OptionError
 */
export function nearest(b: ProgramBuilder, queries: Tensor, keys: Tensor, count: number): Tensor {
  const where = 'nearest';
  const [{ ROWS: QUERIES, BITS }, all] = [rowsOf(queries, where), rowsOf(keys, where)];
  if (BITS !== all.BITS) {
    throw new ShapeError('Queries and keys are of one length.', {
      given: `${BITS} and ${all.BITS} bits`,
      where,
    });
  }
  const KEYS = all.ROWS;
  const K = positive(count, 'count', where);
  if (K > Math.min(KEYS, MOST_NEAREST)) {
    throw new OptionError('There are not so many nearest keys.', {
      given: `${K} of ${KEYS} keys`,
      expected: `${Math.min(KEYS, MOST_NEAREST)} at most`,
      where,
    });
  }
  // Chunks for every invocation of a GPU, and several times as long as what is kept of them.
  const SPAN = Math.max(
    16 * K,
    Math.ceil(KEYS / Math.max(1, Math.floor(chunksOn(b.gpu) / Math.ceil(QUERIES / 4)))),
  );
  let chunks = Math.ceil(KEYS / SPAN);
  let best = b.transient('nearest keys of chunks', [QUERIES, chunks, K, 2], 'u32');
  const constants = { QUERIES, KEYS, WORDS: wordsFor(BITS), K, CHUNKS: chunks, SPAN };
  b.dispatch(choose(SEARCH, constants, b.gpu), { queries, keys, best }, constants);
  while (chunks > 1) {
    const RESULTS = Math.ceil(chunks / LISTS);
    const merged = b.transient('nearest keys', [QUERIES, RESULTS, K, 2], 'u32');
    b.dispatch(mergeNearest, { best, merged }, { QUERIES, CHUNKS: chunks, RESULTS, K, SPAN: LISTS });
    [best, chunks] = [merged, RESULTS];
  }
  return best.reshape([QUERIES, K, 2]);
}
