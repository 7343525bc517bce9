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
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';
import { type ConvConstants, GEOMETRY } from './conv.ts';

const CLAMP = ['LOWEST', 'HIGHEST'] as const;
const OPTIONAL = ['HAS_RESIDUAL', 'HAS_SLOPE'] as const;
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
