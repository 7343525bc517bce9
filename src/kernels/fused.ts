/**
 * Binary convolutions that finish what they make: reals through clamp, multiplier, bias, residual and PReLU, or packed
 * signs through one threshold a channel. The families take what `canTileForward` of `conv.ts` says, with the input padded
 * and the filters laid out as `BINARY_FORWARD` takes them; `fusedReal` and `fusedSigns` any windows. A matrix product is a
 * convolution of images of one pixel.
 */
import {
  defineKernel,
  linearWorkgroups,
  type ShaderSource,
  type Workgroups,
  wordsFor,
} from '../gpu/index.ts';
import { type ConvConstants, canTileForward, forwardOperands, WINDOWS } from './conv.ts';
import { type Family, plainQuadsPay, quadGroups, quadsCanApply, quadsPay, tileGroups } from './variants.ts';

const fusedShaders = () => import('../../shaders/convolutions.ts');
const planeShaders = () => import('../../shaders/planes.ts');
const quadShaders = () => import('../../shaders/quads.ts');

/** Bounds of what is made; what reals are finished with, and which of it is there. */
export const CLAMP = ['LOWEST', 'HIGHEST'] as const;
export const EPILOGUE = { multiplier: 'read', bias: 'read', slope: 'read', residual: 'read' } as const;
export const OPTIONAL = ['HAS_SCALE', 'HAS_RESIDUAL', 'HAS_SLOPE'] as const;
const pixels = (c: ConvConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH;
/** Words of activations that meet words of filters. */
const comparisons = (c: ConvConstants) =>
  pixels(c) * c.OUT_CHANNELS * c.KERNEL_HEIGHT * c.KERNEL_WIDTH * wordsFor(c.CHANNELS / c.GROUPS);

/** bits * bits to finished f32, any windows. */
export const fusedReal = defineKernel({
  name: 'conv/fused_real',
  source: fusedShaders,
  bindings: {
    a: 'read',
    w: 'read',
    ...EPILOGUE,
    out: 'write',
  },
  constants: [...WINDOWS, ...CLAMP, ...OPTIONAL],
  work: comparisons,
  workgroups: (c) => linearWorkgroups(pixels(c) * c.OUT_CHANNELS, 64),
});

/* @__NO_SIDE_EFFECTS__ */
const realTile = (
  name: string,
  source: ShaderSource,
  workgroups: (rows: number, columns: number) => Workgroups,
) =>
  defineKernel({
    name: `conv/${name}`,
    source,
    bindings: {
      a: 'read',
      w: 'read',
      ...EPILOGUE,
      edges: 'read',
      out: 'write',
    },
    constants: [...WINDOWS, 'PADDED', ...CLAMP, ...OPTIONAL],
    work: comparisons,
    workgroups: (c) => workgroups(pixels(c), c.OUT_CHANNELS),
  });

const fusedRealTile = realTile('fused_real_tile', fusedShaders, tileGroups);

type Clamped = ConvConstants & Readonly<Record<'PADDED' | (typeof CLAMP)[number], number>>;

/** Of one value an output channel. */
const perChannel = (c: Clamped) => ({ shape: [c.OUT_CHANNELS], dtype: 'f32' }) as const;

/** padded bits * transposed bits to finished f32; none where `canTileForward` says no. */
export const FUSED_REAL: Family<
  typeof fusedRealTile,
  Clamped & Readonly<Record<(typeof OPTIONAL)[number], number>>
> = {
  name: 'fusedBinaryConv2d to reals',
  exact: false,
  operands(c) {
    const { a, w, edges, out } = forwardOperands(c);
    const channels = perChannel(c);
    return { a, w, multiplier: channels, bias: channels, slope: channels, residual: out, edges, out };
  },
  variants: [
    {
      kernel: realTile('fused_real_quads_plain', quadShaders, quadGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      isDefault: (c, device) => plainQuadsPay(comparisons(c), device),
    },
    {
      kernel: realTile('fused_real_quads', quadShaders, quadGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      isDefault: (c, device) => quadsPay(comparisons(c), device),
    },
    { kernel: fusedRealTile, canApply: canTileForward },
  ],
};

/** bits * bits to bits, any windows. */
export const fusedSigns = defineKernel({
  name: 'conv/fused_signs',
  source: fusedShaders,
  bindings: { a: 'read', w: 'read', direction: 'read', threshold: 'read', bits: 'write' },
  constants: [...WINDOWS, ...CLAMP],
  work: comparisons,
  workgroups: (c) => linearWorkgroups(pixels(c) * wordsFor(c.OUT_CHANNELS), 64),
});

/** Workgroups of `lib/tile/quads_signs.wgsl`: 64 rows of four words each. */
const wordGroups = (rows: number, columns: number) =>
  linearWorkgroups(Math.ceil(rows / 64) * Math.ceil(columns / 128), 1);

/* @__NO_SIDE_EFFECTS__ */
const signsTile = (
  name: string,
  source: ShaderSource,
  workgroups: (rows: number, columns: number) => Workgroups,
) =>
  defineKernel({
    name: `conv/${name}`,
    source,
    bindings: { a: 'read', w: 'read', direction: 'read', threshold: 'read', edges: 'read', bits: 'write' },
    constants: [...WINDOWS, 'PADDED', ...CLAMP],
    work: comparisons,
    workgroups: (c) => workgroups(pixels(c), c.OUT_CHANNELS),
  });

const fusedSignsTile = signsTile('fused_signs_tile', fusedShaders, (rows, columns) =>
  linearWorkgroups(Math.ceil(rows / 4) * wordsFor(columns), 64),
);

/** padded bits * transposed bits to bits; none where `canTileForward` says no. */
export const FUSED_SIGNS: Family<typeof fusedSignsTile, Clamped> = {
  name: 'fusedBinaryConv2d to signs',
  exact: true,
  operands(c) {
    const { a, w, edges, out } = forwardOperands(c);
    const channels = perChannel(c);
    return {
      a,
      w,
      direction: channels,
      threshold: channels,
      edges,
      bits: { shape: out.shape, dtype: 'bits' },
    };
  },
  variants: [
    {
      kernel: signsTile('fused_signs_quads_plain', quadShaders, wordGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      isDefault: (c, device) => plainQuadsPay(comparisons(c), device),
    },
    {
      kernel: signsTile('fused_signs_quads', quadShaders, wordGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      isDefault: (c, device) => quadsPay(comparisons(c), device),
    },
    { kernel: fusedSignsTile, canApply: canTileForward },
  ],
};

/** 8-bit images to the bit planes of their patches: words [pixels, 8 * ceil(patch / 32) + 4]. */
export const planesSplit = defineKernel({
  name: 'conv/planes_split',
  source: planeShaders,
  bindings: { x: 'read', planes: 'write' },
  constants: [...WINDOWS, 'REAL', 'SIGNED'],
  workgroups: (c) => linearWorkgroups(pixels(c), 64),
});

/** Binary filters to words [ceil(patch / 32), ceil(OUT_CHANNELS / 4) * 4]. */
export const planesFilters = defineKernel({
  name: 'conv/planes_filters',
  source: planeShaders,
  bindings: { w: 'read', out: 'write' },
  constants: ['OUT_CHANNELS', 'TAPS', 'CHANNELS'],
  workgroups: ({ OUT_CHANNELS, TAPS, CHANNELS }) =>
    linearWorkgroups(wordsFor(TAPS * CHANNELS) * 4 * Math.ceil(OUT_CHANNELS / 4), 64),
});

/** Bit planes * filters to finished f32; without groups. */
export const planesReal = defineKernel({
  name: 'conv/planes_real',
  source: planeShaders,
  bindings: {
    planes: 'read',
    w: 'read',
    ...EPILOGUE,
    out: 'write',
  },
  constants: [...WINDOWS, 'SIGNED', ...CLAMP, ...OPTIONAL],
  work: (c) => 8 * comparisons(c),
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * Math.ceil(c.OUT_CHANNELS / 4), 64),
});

/** Bit planes * filters to bits; without groups. */
export const planesSigns = defineKernel({
  name: 'conv/planes_signs',
  source: planeShaders,
  bindings: { planes: 'read', w: 'read', direction: 'read', threshold: 'read', bits: 'write' },
  constants: [...WINDOWS, 'SIGNED', ...CLAMP],
  work: (c) => 8 * comparisons(c),
  workgroups: (c) => linearWorkgroups(Math.ceil(pixels(c) / 4) * wordsFor(c.OUT_CHANNELS), 64),
});
