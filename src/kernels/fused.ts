/**
 * Binary convolutions that finish what they make: reals through clamp, multiplier, bias, residual and PReLU, or packed
 * signs through one threshold a channel. The kernels named `…Tile` take what `canTileForward` of `conv.ts` says, with the
 * input padded and the filters laid out as `binaryForwardTile` takes them; the others any geometry. A matrix product is a
 * convolution of images of one pixel.
 */
import fusedRealSource from '../../shaders/conv/fused_real.wgsl';
import fusedRealTileSource from '../../shaders/conv/fused_real_tile.wgsl';
import fusedSignsSource from '../../shaders/conv/fused_signs.wgsl';
import fusedSignsTileSource from '../../shaders/conv/fused_signs_tile.wgsl';
import planesFiltersSource from '../../shaders/conv/planes_filters.wgsl';
import planesRealSource from '../../shaders/conv/planes_real.wgsl';
import planesSignsSource from '../../shaders/conv/planes_signs.wgsl';
import planesSplitSource from '../../shaders/conv/planes_split.wgsl';
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';
import { type ConvConstants, GEOMETRY } from './conv.ts';

const CLAMP = ['LOWEST', 'HIGHEST'] as const;
const OPTIONAL = ['HAS_SCALE', 'HAS_RESIDUAL', 'HAS_SLOPE'] as const;
const pixels = (c: ConvConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH;

/** bits * bits to finished f32, any geometry. */
export const fusedReal = defineKernel({
  name: 'conv/fused_real',
  source: fusedRealSource,
  bindings: {
    a: 'read',
    w: 'read',
    multiplier: 'read',
    bias: 'read',
    slope: 'read',
    residual: 'read',
    out: 'write',
  },
  constants: [...GEOMETRY, ...CLAMP, ...OPTIONAL],
  workgroups: (c) => linearWorkgroups(pixels(c) * c.OUT_CHANNELS, 64),
});

/** padded bits * transposed bits to finished f32; `canTileForward`. */
export const fusedRealTile = defineKernel({
  name: 'conv/fused_real_tile',
  source: fusedRealTileSource,
  bindings: {
    a: 'read',
    w: 'read',
    multiplier: 'read',
    bias: 'read',
    slope: 'read',
    residual: 'read',
    sums: 'read',
    out: 'write',
  },
  constants: [...GEOMETRY, 'PADDED', ...CLAMP, ...OPTIONAL],
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * Math.ceil(c.OUT_CHANNELS / 8), 64),
});

/** bits * bits to bits, any geometry. */
export const fusedSigns = defineKernel({
  name: 'conv/fused_signs',
  source: fusedSignsSource,
  bindings: { a: 'read', w: 'read', direction: 'read', threshold: 'read', bits: 'write' },
  constants: [...GEOMETRY, ...CLAMP],
  workgroups: (c) => linearWorkgroups(pixels(c) * wordsFor(c.OUT_CHANNELS), 64),
});

/** padded bits * transposed bits to bits; `canTileForward`. */
export const fusedSignsTile = defineKernel({
  name: 'conv/fused_signs_tile',
  source: fusedSignsTileSource,
  bindings: { a: 'read', w: 'read', direction: 'read', threshold: 'read', sums: 'read', bits: 'write' },
  constants: [...GEOMETRY, 'PADDED', ...CLAMP],
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * wordsFor(c.OUT_CHANNELS), 64),
});

/** 8-bit images to the bit planes of their patches: words [pixels, 8 * ceil(patch / 32) + 4]. */
export const planesSplit = defineKernel({
  name: 'conv/planes_split',
  source: planesSplitSource,
  bindings: { x: 'read', planes: 'write' },
  constants: [...GEOMETRY, 'REAL', 'SIGNED'],
  workgroups: (c) => linearWorkgroups(pixels(c), 64),
});

/** Binary filters to words [ceil(patch / 32), ceil(OUT_CHANNELS / 4) * 4]. */
export const planesFilters = defineKernel({
  name: 'conv/planes_filters',
  source: planesFiltersSource,
  bindings: { w: 'read', out: 'write' },
  constants: ['OUT_CHANNELS', 'TAPS', 'CHANNELS'],
  workgroups: ({ OUT_CHANNELS, TAPS, CHANNELS }) =>
    linearWorkgroups(wordsFor(TAPS * CHANNELS) * 4 * Math.ceil(OUT_CHANNELS / 4), 64),
});

/** Bit planes * filters to finished f32; without groups. */
export const planesReal = defineKernel({
  name: 'conv/planes_real',
  source: planesRealSource,
  bindings: {
    planes: 'read',
    w: 'read',
    multiplier: 'read',
    bias: 'read',
    slope: 'read',
    residual: 'read',
    out: 'write',
  },
  constants: [...GEOMETRY, 'SIGNED', ...CLAMP, ...OPTIONAL],
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * Math.ceil(c.OUT_CHANNELS / 4), 64),
});

/** Bit planes * filters to bits; without groups. */
export const planesSigns = defineKernel({
  name: 'conv/planes_signs',
  source: planesSignsSource,
  bindings: { planes: 'read', w: 'read', direction: 'read', threshold: 'read', bits: 'write' },
  constants: [...GEOMETRY, 'SIGNED', ...CLAMP],
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * wordsFor(c.OUT_CHANNELS), 64),
});
