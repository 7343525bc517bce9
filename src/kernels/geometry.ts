/** Statistics of latent filters. */
import { defineKernel, linearWorkgroups, type ShaderSource } from '../gpu/index.ts';

const shaders = () => import('../../shaders/geometry.ts');

/* @__NO_SIDE_EFFECTS__ */
const sums = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { latent: 'read', parts: 'write' },
    constants: ['FILTERS', 'LENGTH', 'CHUNKS', 'NEAR_ZERO'],
    workgroups: ({ FILTERS, CHUNKS }) => linearWorkgroups(FILTERS * CHUNKS, 64),
  });

/** f32 [FILTERS, LENGTH] to CHUNKS parts of each filter, or to its statistics where CHUNKS is 1; any length. */
export const filterSums = sums('geometry/sums', shaders);
/** The same for lengths that are multiples of 4. */
export const filterSums4 = sums('geometry/sums4', shaders);
/** The same for halves, two to a word, any length. */
export const filterSumsF16 = sums('geometry/sums_f16', shaders);
export const filterSumsBf16 = sums('geometry/sums_bf16', shaders);

/** The same for bits [FILTERS, LENGTH / CHANNELS, CHANNELS]. */
export const filterSumsBits = defineKernel({
  name: 'geometry/sums_bits',
  source: shaders,
  bindings: { latent: 'read', parts: 'write' },
  constants: ['FILTERS', 'LENGTH', 'CHANNELS', 'CHUNKS', 'NEAR_ZERO'],
  workgroups: ({ FILTERS, CHUNKS }) => linearWorkgroups(FILTERS * CHUNKS, 64),
});

/* @__NO_SIDE_EFFECTS__ */
const densities = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { latent: 'read', statistics: 'read', parts: 'write' },
    constants: ['FILTERS', 'LENGTH', 'STRIDE', 'SPAN', 'BINS', 'RANGE'],
    workgroups: ({ FILTERS, LENGTH, STRIDE, SPAN }) => [
      Math.ceil(Math.ceil((FILTERS * Math.ceil(LENGTH / 4)) / STRIDE) / SPAN),
      1,
      1,
    ],
  });

/** f32 [FILTERS, LENGTH] and its statistics to counts of every STRIDE-th group of four weights in BINS bins. */
export const densityParts = densities('geometry/densities', shaders);
/** The same for halves, two to a word. */
export const densityPartsF16 = densities('geometry/densities_f16', shaders);
export const densityPartsBf16 = densities('geometry/densities_bf16', shaders);

/** PARTS parts of each filter to RESULTS = ceil(PARTS / SPAN). */
export const mergeSums = defineKernel({
  name: 'geometry/merge',
  source: shaders,
  bindings: { parts: 'read', merged: 'write' },
  constants: ['FILTERS', 'PARTS', 'SPAN', 'RESULTS'],
  workgroups: ({ FILTERS, RESULTS }) => linearWorkgroups(FILTERS * RESULTS, 64),
});

/** Parts of each filter to f32 [FILTERS, 12]. */
export const filterStatistics = defineKernel({
  name: 'geometry/statistics',
  source: shaders,
  bindings: { parts: 'read', statistics: 'write' },
  constants: ['FILTERS', 'PARTS'],
  workgroups: ({ FILTERS }) => linearWorkgroups(FILTERS, 64),
});

/** Statistics to counts of angles in BINS bins, SPAN filters a part. */
export const angleHistogramParts = defineKernel({
  name: 'geometry/histogram',
  source: shaders,
  bindings: { statistics: 'read', parts: 'write' },
  constants: ['FILTERS', 'SPAN', 'BINS'],
  workgroups: ({ FILTERS, SPAN }) => [Math.ceil(FILTERS / SPAN), 1, 1],
});

/** u32 [ROWS, BINS] to u32 [BINS]. */
export const sumBins = defineKernel({
  name: 'geometry/sum_bins',
  source: shaders,
  bindings: { parts: 'read', counts: 'write' },
  constants: ['ROWS', 'BINS'],
  workgroups: ({ BINS }) => [Math.ceil(BINS / 64), 1, 1],
});

/** i32 [FILTERS, FILTERS] dot products of signs to f32 [FILTERS, 4]. */
export const filterPairs = defineKernel({
  name: 'geometry/pairs',
  source: shaders,
  bindings: { dots: 'read', pairs: 'write' },
  constants: ['FILTERS', 'LENGTH'],
  workgroups: ({ FILTERS }) => [Math.ceil(FILTERS / 64), 1, 1],
});

/** bits [ROWS, ...], COUNT rows from first[0] on, to pairs by distance, added to u32 [distances]. */
export const hammingPairs = defineKernel({
  name: 'geometry/hamming_pairs',
  source: shaders,
  bindings: { signs: 'read', first: 'read', counts: 'write' },
  constants: ['ROWS', 'WORDS', 'COUNT', 'SPAN'],
  workgroups: ({ ROWS, COUNT, SPAN }) => [Math.ceil(COUNT / 64), Math.ceil(ROWS / SPAN), 1],
  work: ({ ROWS, WORDS, COUNT }) => ROWS * WORDS * COUNT,
});

/** f32 filters of 3 x 3 to counts of their 512 patterns, SPAN kernels a part. */
export const patternParts = defineKernel({
  name: 'geometry/patterns',
  source: shaders,
  bindings: { latent: 'read', parts: 'write' },
  constants: ['KERNELS', 'CHANNELS', 'CHANNELS_LAST', 'SPAN'],
  workgroups: ({ KERNELS, SPAN }) => [Math.ceil(KERNELS / SPAN), 1, 1],
});

/** f32 [ROWS, LENGTH] to f32 [ROWS, SIZE]: up to four stages of a Walsh-Hadamard transform. */
export const hadamard = defineKernel({
  name: 'geometry/hadamard',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: ['ROWS', 'LENGTH', 'SIZE', 'RADIX', 'STRIDE', 'SCALE', 'SIGNED', 'SEED', 'ROUND'],
  workgroups: ({ ROWS, SIZE, RADIX }) => linearWorkgroups((ROWS * SIZE) / RADIX, 64),
});

/** Columns of what `signHistory` gives for each filter. The sum of ages is in two words, the low one first. */
export const SIGN_HISTORY_COLUMNS = 4;

/**
 * Signs of filters against those before and at the start, to u32 [FILTERS, SIGN_HISTORY_COLUMNS]; signs and ages are
 * brought up to date.
 */
export const signHistory = defineKernel({
  name: 'geometry/sign_history',
  source: shaders,
  bindings: { now: 'read', start: 'read', before: 'write', ages: 'write', history: 'write' },
  constants: ['FILTERS', 'ROWS', 'LENGTH'],
  workgroups: ({ FILTERS }) => linearWorkgroups(FILTERS, 64),
});

/* @__NO_SIDE_EFFECTS__ */
const widen = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { latent: 'read', widened: 'write' },
    constants: ['FILTERS', 'LENGTH'],
    workgroups: ({ FILTERS, LENGTH }) => linearWorkgroups(FILTERS * Math.ceil(LENGTH / 4), 64),
  });

/** Halves, two to a word, to f32 [FILTERS, LENGTH]. */
export const widenF16 = widen('geometry/widen_f16', shaders);
export const widenBf16 = widen('geometry/widen_bf16', shaders);
