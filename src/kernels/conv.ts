/**
 * Convolutions; their gradients are in `conv-gradients.ts`. The kernels without a suffix take any windows; those named `…Tile`
 * compute several results an invocation in registers, and take the windows that their `canTile…` names.
 */
import {
  defineKernel,
  linearWorkgroups,
  type ShaderSource,
  type Workgroups,
  wordsFor,
} from '../gpu/index.ts';
import {
  bytesCanApply,
  carryGroups,
  type Family,
  inTiles,
  onByteMatrices,
  plainQuadsPay,
  quadGroups,
  quadsCanApply,
  quadsPay,
  sharedGroups,
  tileGroups,
} from './variants.ts';

const shaders = () => import('../../shaders/convolutions.ts');
const quadShaders = () => import('../../shaders/quads.ts');
const variantShaders = () => import('../../shaders/variants.ts');
const matrixShaders = () => import('../../shaders/matrix.ts');

/** The override constants of `lib/conv/extents.wgsl`. */
export const WINDOWS = [
  'BATCH',
  'HEIGHT',
  'WIDTH',
  'CHANNELS',
  'OUT_HEIGHT',
  'OUT_WIDTH',
  'OUT_CHANNELS',
  'KERNEL_HEIGHT',
  'KERNEL_WIDTH',
  'STRIDE_Y',
  'STRIDE_X',
  'DILATION_Y',
  'DILATION_X',
  'PAD_TOP',
  'PAD_LEFT',
  'GROUPS',
  'PAD_VALUE',
] as const;

export type ConvConstants = Readonly<Record<(typeof WINDOWS)[number], number>>;

export const outputs = (c: ConvConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH * c.OUT_CHANNELS;

/** Products of an activation and a weight. */
export const products = (c: ConvConstants) =>
  (outputs(c) * c.KERNEL_HEIGHT * c.KERNEL_WIDTH * c.CHANNELS) / c.GROUPS;
/** Words of activations that meet words of filters. */
const comparisons = (c: ConvConstants) =>
  outputs(c) * c.KERNEL_HEIGHT * c.KERNEL_WIDTH * wordsFor(c.CHANNELS / c.GROUPS);

/** bits * bits to i32 or f32, any windows. */
export const binaryForward = defineKernel({
  name: 'conv/binary_forward',
  source: shaders,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: [...WINDOWS, 'INTEGER'],
  work: comparisons,
  splits: 'line',
  repeats: true,
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** f32 * bits to f32, any windows. */
export const signForward = defineKernel({
  name: 'conv/sign_forward',
  source: shaders,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: WINDOWS,
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** f32 * f32 to f32, any windows. */
export const realForward = defineKernel({
  name: 'conv/real_forward',
  source: shaders,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: WINDOWS,
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** Eight outputs, or a last four, of a number of pixels an invocation; or so many outputs. */
export const tiles = (values: number, channels: number, pixels: number, outputs = 8) =>
  linearWorkgroups(Math.ceil(values / channels / pixels) * Math.ceil(channels / outputs), 64);

/** Whether the tiled forward kernels take these windows: no groups, outputs in fours. */
export function canTileForward(c: ConvConstants): boolean {
  return c.GROUPS === 1 && c.OUT_CHANNELS % 4 === 0;
}

/** Filters with their outputs side by side, as the tiled forward kernels read them. */
export const transposeFilters = defineKernel({
  name: 'conv/transpose_filters',
  source: shaders,
  bindings: { w: 'read', out: 'write' },
  constants: ['ROWS', 'COLUMNS'],
  workgroups: ({ ROWS, COLUMNS }) => linearWorkgroups(Math.ceil(ROWS / 4) * COLUMNS, 64),
});

/** Binary filters as reals with their outputs side by side. */
export const expandFilters = defineKernel({
  name: 'conv/expand_filters',
  source: shaders,
  bindings: { w: 'read', out: 'write' },
  constants: ['OUT_CHANNELS', 'TAPS', 'CHANNELS'],
  workgroups: ({ OUT_CHANNELS, TAPS, CHANNELS }) => linearWorkgroups(OUT_CHANNELS * TAPS * CHANNELS, 64),
});

/** Packed activations with their padding around them: words [BATCH, height, width, ceil(CHANNELS / 32)] of `paddedSize`. */
export const pad = defineKernel({
  name: 'conv/pad',
  source: shaders,
  bindings: { a: 'read', out: 'write' },
  constants: [...WINDOWS, 'PADDED'],
  workgroups: (c) => {
    const [height, width] = paddedSize(c);
    return linearWorkgroups(c.BATCH * height * width * wordsFor(c.CHANNELS), 64);
  },
});

/** The pixels that windows reach, padding and all: what `pad` makes. */
export function paddedSize(c: ConvConstants): readonly [height: number, width: number] {
  return [
    (c.OUT_HEIGHT - 1) * c.STRIDE_Y + (c.KERNEL_HEIGHT - 1) * c.DILATION_Y + 1,
    (c.OUT_WIDTH - 1) * c.STRIDE_X + (c.KERNEL_WIDTH - 1) * c.DILATION_X + 1,
  ];
}

/** Whether some window reaches beyond the image, so that the input needs its padding around it. */
export function needsPadding(c: ConvConstants): boolean {
  const [height, width] = paddedSize(c);
  return c.PAD_TOP > 0 || c.PAD_LEFT > 0 || height > c.HEIGHT || width > c.WIDTH;
}

/** The sum of the signs of each tap of transposed binary filters, [TAPS, OUT_CHANNELS]. */
export const tapSums = defineKernel({
  name: 'conv/tap_sums',
  source: shaders,
  bindings: { w: 'read', out: 'write' },
  constants: ['OUT_CHANNELS', 'TAPS', 'CHANNELS'],
  workgroups: ({ OUT_CHANNELS, TAPS }) => linearWorkgroups((OUT_CHANNELS / 4) * TAPS, 64),
});

/** How many classes of edges there are along either axis: output pixels of a class have the same taps outside the image. */
export function edgeClasses(c: ConvConstants): readonly [rows: number, columns: number] {
  const [height, width] = paddedSize(c);
  const along = (before: number, size: number, padded: number, stride: number) =>
    Math.ceil(before / stride) + 1 + Math.ceil(Math.max(0, padded - before - size) / stride);
  return [along(c.PAD_TOP, c.HEIGHT, height, c.STRIDE_Y), along(c.PAD_LEFT, c.WIDTH, width, c.STRIDE_X)];
}

/** What the taps outside the image add where the padding reads +1, for each class of edges, [rows, columns, OUT_CHANNELS]. */
export const edgeSums = defineKernel({
  name: 'conv/edge_sums',
  source: shaders,
  bindings: { sums: 'read', out: 'write' },
  constants: [...WINDOWS, 'PADDED'],
  workgroups: (c) => {
    const [rows, columns] = edgeClasses(c);
    return linearWorkgroups((rows * columns * c.OUT_CHANNELS) / 4, 64);
  },
});

/* @__NO_SIDE_EFFECTS__ */
const forwardBySide = (
  name: string,
  source: ShaderSource,
  workgroups: (rows: number, columns: number) => Workgroups,
) =>
  defineKernel({
    name: `conv/${name}`,
    source,
    bindings: { a: 'read', w: 'read', edges: 'read', out: 'write' },
    constants: [...WINDOWS, 'PADDED', 'INTEGER'],
    work: comparisons,
    repeats: true,
    workgroups: (c) => workgroups(outputs(c) / c.OUT_CHANNELS, c.OUT_CHANNELS),
  });

const binaryForwardTile = forwardBySide('binary_forward_tile', shaders, tileGroups);

/** What the forward families read and make: padded activations, filters with their outputs side by side, what padding added. */
export function forwardOperands(c: ConvConstants & Readonly<Record<'PADDED', number>>) {
  const taps = c.KERNEL_HEIGHT * c.KERNEL_WIDTH;
  const [height, width] = c.PADDED === 1 ? paddedSize(c) : [c.HEIGHT, c.WIDTH];
  return {
    a: { shape: [c.BATCH, height, width, c.CHANNELS], dtype: 'bits' },
    w: { shape: [taps * wordsFor(c.CHANNELS), c.OUT_CHANNELS], dtype: 'u32' },
    edges: { shape: [...edgeClasses(c), c.OUT_CHANNELS], dtype: 'i32' },
    out: { shape: [c.BATCH, c.OUT_HEIGHT, c.OUT_WIDTH, c.OUT_CHANNELS], dtype: 'f32' },
  } as const;
}

/** padded bits * transposed bits to i32 or f32; `canTileForward`. */
export const BINARY_FORWARD: Family<
  typeof binaryForwardTile,
  ConvConstants & Readonly<Record<'PADDED' | 'INTEGER', number>>
> = {
  name: 'binaryConv2d',
  exact: true,
  operands: forwardOperands,
  variants: [
    {
      kernel: forwardBySide('binary_forward_quads_plain', quadShaders, quadGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      isDefault: (c, device) => plainQuadsPay(comparisons(c), device),
    },
    {
      kernel: forwardBySide('binary_forward_quads', quadShaders, quadGroups),
      canApply: (c, device) => canTileForward(c) && quadsCanApply(device),
      // Short windows make too little of what is shared, and leave more of their last four words empty.
      isDefault: (c, device) =>
        c.KERNEL_HEIGHT * c.KERNEL_WIDTH * wordsFor(c.CHANNELS) >= 16 && quadsPay(comparisons(c), device),
    },
    { kernel: binaryForwardTile, canApply: canTileForward },
    {
      kernel: forwardBySide('binary_forward_carry_ones', variantShaders, carryGroups),
      canApply: canTileForward,
    },
    {
      kernel: forwardBySide('binary_forward_carry_twos', variantShaders, carryGroups),
      canApply: canTileForward,
    },
    {
      kernel: forwardBySide('binary_forward_carry_fours', variantShaders, carryGroups),
      canApply: canTileForward,
    },
    {
      kernel: forwardBySide('binary_forward_shared', variantShaders, sharedGroups),
      canApply: canTileForward,
    },
    {
      kernel: forwardBySide('binary_forward_bytes', variantShaders, tileGroups),
      canApply: (c, device) => canTileForward(c) && bytesCanApply(device),
    },
    ...onByteMatrices(
      (ending, workgroups) => forwardBySide(`binary_forward_matrix_${ending}`, matrixShaders, workgroups),
      canTileForward,
    ),
  ],
};

const realForwardTile = defineKernel({
  name: 'conv/real_forward_tile',
  source: shaders,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: WINDOWS,
  work: products,
  splits: 'line',
  workgroups: (c) => tiles(outputs(c), c.OUT_CHANNELS, 8),
});

/** f32 * transposed f32 to f32; `canTileForward`. */
export const REAL_FORWARD: Family<typeof realForwardTile, ConvConstants> = {
  name: 'conv2d',
  exact: false,
  operands: (c) => ({
    x: { shape: [c.BATCH, c.HEIGHT, c.WIDTH, c.CHANNELS], dtype: 'f32' },
    w: { shape: [c.KERNEL_HEIGHT, c.KERNEL_WIDTH, c.CHANNELS, c.OUT_CHANNELS], dtype: 'f32' },
    out: { shape: [c.BATCH, c.OUT_HEIGHT, c.OUT_WIDTH, c.OUT_CHANNELS], dtype: 'f32' },
  }),
  variants: inTiles(realForwardTile, (c) => tiles(outputs(c), c.OUT_CHANNELS, 4), canTileForward),
};
