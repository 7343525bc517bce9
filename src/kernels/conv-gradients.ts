/**
 * Gradients of convolutions. The kernels without a suffix take any windows; those named `…Tile` and `…Narrow` compute several
 * results an invocation in registers, and take the windows that their `canTile…` names.
 */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';
import { type ConvConstants, products, tiles, WINDOWS } from './conv.ts';
import {
  type Abilities,
  bandGroups,
  type Family,
  inTiles,
  onMatrices,
  quadsCanApply,
  quadsPay,
} from './variants.ts';

const gradientShaders = () => import('../../shaders/training.ts');
const matrixShaders = () => import('../../shaders/matrix.ts');

/** Of the gradient of the outputs, the inputs and the filters. */
const shapesOf = (c: ConvConstants) => ({
  g: [c.BATCH, c.OUT_HEIGHT, c.OUT_WIDTH, c.OUT_CHANNELS],
  input: [c.BATCH, c.HEIGHT, c.WIDTH, c.CHANNELS],
  filters: [c.OUT_CHANNELS, c.KERNEL_HEIGHT, c.KERNEL_WIDTH, c.CHANNELS / c.GROUPS],
});
const inputs = (c: ConvConstants) => c.BATCH * c.HEIGHT * c.WIDTH * c.CHANNELS;
const weights = (c: ConvConstants) =>
  (c.OUT_CHANNELS * c.KERNEL_HEIGHT * c.KERNEL_WIDTH * c.CHANNELS) / c.GROUPS;

/** Windows, and the number of slices that a sum over their pixels is split into. */
type Sliced = ConvConstants & { readonly CHUNKS: number };

/** Channels of packed pixels, with those that fill their last words. */
const wholeWords = (pixels: number, c: ConvConstants) => pixels * 32 * wordsFor(c.CHANNELS);
/** Whether quads that share a word are a good choice untried: with part of one some of a quad have nothing to do. */
const quadsAreGood = (c: ConvConstants, device: Abilities) =>
  c.CHANNELS % 32 === 0 && quadsPay(products(c), device);

/** Input gradient through binary filters, any windows. */
export const binaryGradInput = defineKernel({
  name: 'conv/binary_grad_input',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: [...WINDOWS, 'GATED'],
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

/** Input gradient through real filters, any windows. */
export const realGradInput = defineKernel({
  name: 'conv/real_grad_input',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', out: 'write' },
  constants: WINDOWS,
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

/** Filter gradient from packed activations, any windows, in slices. */
export const binaryGradWeights = defineKernel({
  name: 'conv/binary_grad_weights',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(weights(c) * c.CHUNKS, 64),
});

/** Filter gradient from real activations, any windows, in slices. */
export const realGradWeights = defineKernel({
  name: 'conv/real_grad_weights',
  source: gradientShaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: (c) => linearWorkgroups(weights(c) * c.CHUNKS, 64),
});

/* @__NO_SIDE_EFFECTS__ */
const sumSlicesOf = (name: string) =>
  defineKernel({
    name,
    source: gradientShaders,
    bindings: { slices: 'read', out: 'write' },
    constants: ['LANES', 'CHUNKS'],
    workgroups: ({ LANES }) => linearWorkgroups(LANES, 64),
  });

/** Adds the slices of a split sum in order. */
export const sumSlices = sumSlicesOf('conv/sum_slices');

/** Likewise, four elements an invocation, of slices of whole vec4s. */
export const sumSlices4 = sumSlicesOf('conv/sum_slices4');

/** Whether the tiled input gradients take these windows: no groups, both kinds of channels in fours. */
function canTileGradInput(c: ConvConstants): boolean {
  return c.GROUPS === 1 && c.OUT_CHANNELS % 4 === 0 && c.CHANNELS % 4 === 0;
}

/** Whether `binaryGradWeightsTile` and `realGradWeightsNarrow` take these windows: no groups, outputs in fours. */
export function canTileGradWeights(c: ConvConstants): boolean {
  return c.GROUPS === 1 && c.OUT_CHANNELS % 4 === 0;
}

/** Whether `realGradWeightsTile` takes these windows: no groups, both kinds of channels in fours. */
export function canTileRealGradWeights(c: ConvConstants): boolean {
  return canTileGradInput(c);
}

/** Input gradient through binary filters; `canTileGradInput`. */
const binaryGradInputTile = defineKernel({
  name: 'conv/binary_grad_input_tile',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: [...WINDOWS, 'GATED'],
  work: products,
  splits: 'line',
  workgroups: (c) => tiles(inputs(c), c.CHANNELS, 8),
});

const smallInputTiles = (c: ConvConstants) => tiles(inputs(c), c.CHANNELS, 8, 4);

/** The same, shared by subgroups, which take the channels of a word together; `canTileGradInput`. */
const binaryGradInputQuads = defineKernel({
  name: 'conv/binary_grad_input_quads',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: [...WINDOWS, 'GATED'],
  work: products,
  splits: 'line',
  workgroups: (c) => tiles(wholeWords(inputs(c) / c.CHANNELS, c), wholeWords(1, c), 8),
});

/* @__NO_SIDE_EFFECTS__ */
const gradInputOnMatrices = (name: string, matrices: string) =>
  onMatrices(
    defineKernel({
      name: `conv/binary_grad_input_matrix_${name}`,
      source: matrixShaders,
      bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
      constants: [...WINDOWS, 'GATED'],
      work: products,
      workgroups: (c) => bandGroups(inputs(c) / c.CHANNELS, c.CHANNELS),
    }),
    matrices,
    canTileGradInput,
  );

/** f32 * bits to f32, gated: the input gradient through binary filters. */
export const BINARY_GRAD_INPUT: Family<typeof binaryGradInput, ConvConstants & { readonly GATED: number }> & {
  readonly general: typeof binaryGradInput;
} = {
  general: binaryGradInput,
  name: 'binaryConv2dGradInput',
  exact: false,
  operands: (c) => {
    const { g, input, filters } = shapesOf(c);
    return {
      g: { shape: g, dtype: 'f32' },
      w: { shape: filters, dtype: 'bits' },
      gate: { shape: input, dtype: 'bits' },
      out: { shape: input, dtype: 'f32' },
    };
  },
  variants: [
    {
      kernel: binaryGradInputQuads,
      canApply: (c, device) => canTileGradInput(c) && quadsCanApply(device),
      isDefault: quadsAreGood,
    },
    ...inTiles(binaryGradInputTile, smallInputTiles, canTileGradInput),
    gradInputOnMatrices('16x16x16', 'f16 16x16x16 f32 by 32'),
    gradInputOnMatrices('8x8x8', 'f16 8x8x8 f32 by 8'),
  ],
};

/** Input gradient through real filters; `canTileGradInput`. */
const realGradInputTile = defineKernel({
  name: 'conv/real_grad_input_tile',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', out: 'write' },
  constants: WINDOWS,
  work: products,
  splits: 'line',
  workgroups: (c) => tiles(inputs(c), c.CHANNELS, 8),
});

/** f32 * f32 to f32: the input gradient through real filters. */
export const REAL_GRAD_INPUT: Family<typeof realGradInput, ConvConstants> & {
  readonly general: typeof realGradInput;
} = {
  general: realGradInput,
  name: 'conv2dGradInput',
  exact: false,
  operands: (c) => {
    const { g, input, filters } = shapesOf(c);
    return {
      g: { shape: g, dtype: 'f32' },
      w: { shape: filters, dtype: 'f32' },
      out: { shape: input, dtype: 'f32' },
    };
  },
  variants: inTiles(realGradInputTile, smallInputTiles, canTileGradInput),
};

/** Tiles of so many outputs and eight channels. */
const filterTilesOf = (outputs: number) => (c: Sliced) =>
  linearWorkgroups(
    Math.ceil(c.CHANNELS / 8) *
      c.KERNEL_HEIGHT *
      c.KERNEL_WIDTH *
      Math.ceil(c.OUT_CHANNELS / outputs) *
      c.CHUNKS,
    64,
  );
const filterTiles = filterTilesOf(8);
const smallFilterTiles = filterTilesOf(4);

/** Filter gradient from packed activations, in slices; `canTileGradWeights`. */
const binaryGradWeightsTile = defineKernel({
  name: 'conv/binary_grad_weights_tile',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: filterTiles,
});

/** The same, shared by subgroups, which take the channels of a word together; `canTileRealGradWeights`. */
const binaryGradWeightsQuads = defineKernel({
  name: 'conv/binary_grad_weights_quads',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: (c) => filterTiles({ ...c, CHANNELS: wholeWords(1, c) }),
});

/* @__NO_SIDE_EFFECTS__ */
const gradWeightsOnMatrices = (name: string, matrices: string) =>
  onMatrices(
    defineKernel({
      name: `conv/binary_grad_weights_matrix_${name}`,
      source: matrixShaders,
      bindings: { g: 'read', a: 'read', out: 'write' },
      constants: [...WINDOWS, 'CHUNKS'],
      work: products,
      workgroups: (c) => {
        const columns = wholeWords(c.KERNEL_HEIGHT * c.KERNEL_WIDTH, c);
        return bandGroups(c.OUT_CHANNELS, columns, c.CHUNKS);
      },
    }),
    matrices,
    canTileRealGradWeights,
  );

/** f32 * bits to f32, summed over pixels in slices: the gradient of filters from packed activations. */
export const BINARY_GRAD_WEIGHTS: Family<typeof binaryGradWeights, Sliced> & {
  readonly general: typeof binaryGradWeights;
} = {
  general: binaryGradWeights,
  name: 'binaryConv2dGradWeights',
  exact: false,
  operands: (c) => {
    const { g, input, filters } = shapesOf(c);
    return {
      g: { shape: g, dtype: 'f32' },
      a: { shape: input, dtype: 'bits' },
      out: { shape: [c.CHUNKS, ...filters], dtype: 'f32' },
    };
  },
  variants: [
    {
      kernel: binaryGradWeightsQuads,
      canApply: (c, device) => canTileRealGradWeights(c) && quadsCanApply(device),
      isDefault: quadsAreGood,
    },
    ...inTiles(binaryGradWeightsTile, smallFilterTiles, canTileGradWeights),
    gradWeightsOnMatrices('16x16x16', 'f16 16x16x16 f32 by 32'),
    gradWeightsOnMatrices('8x8x8', 'f16 8x8x8 f32 by 8'),
  ],
};

/** Filter gradient from real activations, in slices; `canTileRealGradWeights`. */
const realGradWeightsTile = defineKernel({
  name: 'conv/real_grad_weights_tile',
  source: gradientShaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: filterTiles,
});

/** Filter gradient from real activations of few channels, in slices; `canTileGradWeights`. */
const realGradWeightsNarrow = defineKernel({
  name: 'conv/real_grad_weights_narrow',
  source: gradientShaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: [...WINDOWS, 'CHUNKS'],
  work: products,
  splits: 'line',
  workgroups: (c) =>
    linearWorkgroups(
      Math.ceil((c.KERNEL_WIDTH * c.CHANNELS) / 4) *
        c.KERNEL_HEIGHT *
        Math.ceil(c.OUT_CHANNELS / 8) *
        c.CHUNKS,
      64,
    ),
});

/** f32 * f32 to f32, summed over pixels in slices: the gradient of filters from real activations. */
export const REAL_GRAD_WEIGHTS: Family<typeof realGradWeights, Sliced> & {
  readonly general: typeof realGradWeights;
} = {
  general: realGradWeights,
  name: 'conv2dGradWeights',
  exact: false,
  operands: (c) => {
    const { g, input, filters } = shapesOf(c);
    return {
      g: { shape: g, dtype: 'f32' },
      x: { shape: input, dtype: 'f32' },
      out: { shape: [c.CHUNKS, ...filters], dtype: 'f32' },
    };
  },
  variants: [
    // A tile of eight channels has little to do where there are fewer.
    ...inTiles(realGradWeightsTile, smallFilterTiles, canTileRealGradWeights, (c) => c.CHANNELS >= 8),
    { kernel: realGradWeightsNarrow, canApply: canTileGradWeights },
  ],
};
