/**
 * Matrix products: packed signs times packed signs, reals times packed signs, reals times reals, and what their
 * gradients need. M, N, K name the extents of the forward product [M, K] x [N, K] -> [M, N], in its gradients too.
 *
 * A kernel without a suffix takes any shape and makes one output an invocation. One named `...Tile` makes a tile of
 * outputs in registers; it reads vectors, so some extents must be multiples of 4.
 */
import binarySource from '../../shaders/gemm/binary.wgsl';
import binaryTileSource from '../../shaders/gemm/binary_tile.wgsl';
import realSource from '../../shaders/gemm/real.wgsl';
import realNtTileSource from '../../shaders/gemm/real_nt_tile.wgsl';
import realTileSource from '../../shaders/gemm/real_tile.wgsl';
import realTnTileSource from '../../shaders/gemm/real_tn_tile.wgsl';
import signSource from '../../shaders/gemm/sign.wgsl';
import signGradInputSource from '../../shaders/gemm/sign_grad_input.wgsl';
import signGradInputTileSource from '../../shaders/gemm/sign_grad_input_tile.wgsl';
import signGradWeightsSource from '../../shaders/gemm/sign_grad_weights.wgsl';
import signGradWeightsTileSource from '../../shaders/gemm/sign_grad_weights_tile.wgsl';
import signTileSource from '../../shaders/gemm/sign_tile.wgsl';
import { defineKernel, linearWorkgroups, type Workgroups } from '../gpu/index.ts';

export interface Extents {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** A kernel that computes what its family's general one does, faster, for some shapes. */
export interface Variant<Kernel> {
  readonly kernel: Kernel;
  /** Whether the kernel takes these extents and has enough rows to fill its tiles with. */
  canApply(extents: Extents): boolean;
}

/** Kernels with the same bindings and constants that compute the same. */
export interface Family<Kernel> {
  /** Takes every shape. */
  readonly general: Kernel;
  /** Best first. */
  readonly variants: readonly Variant<Kernel>[];
}

/** The kernel of a family for these extents. It depends on nothing else, so results don't vary. */
export function choose<Kernel>(family: Family<Kernel>, extents: Extents): Kernel {
  return family.variants.find((variant) => variant.canApply(extents))?.kernel ?? family.general;
}

/** Workgroups of 8 x 8 invocations that make `columns` x `rows` outputs each. */
function tiles(width: number, columns: number, height: number, rows: number): Workgroups {
  return [Math.ceil(width / (8 * columns)), Math.ceil(height / (8 * rows)), 1];
}

const inFours = (extent: number) => extent % 4 === 0;

const binary = defineKernel({
  name: 'gemm/binary',
  source: binarySource,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'INTEGER'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

const binaryTile = defineKernel({
  name: 'gemm/binary_tile',
  source: binaryTileSource,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'INTEGER'],
  workgroups: ({ M, N }) => tiles(N, 4, M, 4),
});

/** bits [M, K] x bits [N, K] to i32 or f32 [M, N]. */
export const BINARY: Family<typeof binary> = {
  general: binary,
  variants: [{ kernel: binaryTile, canApply: ({ M, N }) => M >= 4 && inFours(N) }],
};

const sign = defineKernel({
  name: 'gemm/sign',
  source: signSource,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

const signTile = defineKernel({
  name: 'gemm/sign_tile',
  source: signTileSource,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => tiles(N, 16, M, 4),
});

/** f32 [M, K] x bits [N, K] to f32 [M, N]. */
export const SIGN: Family<typeof sign> = {
  general: sign,
  variants: [{ kernel: signTile, canApply: ({ M, N, K }) => M >= 4 && inFours(N) && inFours(K) }],
};

const signGradInput = defineKernel({
  name: 'gemm/sign_grad_input',
  source: signGradInputSource,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  workgroups: ({ M, K }) => linearWorkgroups(M * K, 64),
});

const signGradInputTile = defineKernel({
  name: 'gemm/sign_grad_input_tile',
  source: signGradInputTileSource,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  workgroups: ({ M, K }) => tiles(K, 16, M, 4),
});

/** f32 [M, N] x bits [N, K] to f32 [M, K], gated. */
export const SIGN_GRAD_INPUT: Family<typeof signGradInput> = {
  general: signGradInput,
  variants: [{ kernel: signGradInputTile, canApply: ({ M, N, K }) => M >= 4 && inFours(N) && inFours(K) }],
};

const signGradWeights = defineKernel({
  name: 'gemm/sign_grad_weights',
  source: signGradWeightsSource,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ N, K }) => linearWorkgroups(N * K, 64),
});

const signGradWeightsTile = defineKernel({
  name: 'gemm/sign_grad_weights_tile',
  source: signGradWeightsTileSource,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ N, K }) => tiles(K, 16, N, 4),
});

/** Transposed f32 [M, N] x bits [M, K] to f32 [N, K]. */
export const SIGN_GRAD_WEIGHTS: Family<typeof signGradWeights> = {
  general: signGradWeights,
  variants: [{ kernel: signGradWeightsTile, canApply: ({ K }) => inFours(K) }],
};

/** f32 x f32 to f32 [M, N], any shape, either operand transposed. */
export const real = defineKernel({
  name: 'gemm/real',
  source: realSource,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'TRANSPOSE_A', 'TRANSPOSE_B'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

const realTile = defineKernel({
  name: 'gemm/real_tile',
  source: realTileSource,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => tiles(N, 8, M, 8),
});

const realNtTile = defineKernel({
  name: 'gemm/real_nt_tile',
  source: realNtTileSource,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => tiles(N, 8, M, 8),
});

const realTnTile = defineKernel({
  name: 'gemm/real_tn_tile',
  source: realTnTileSource,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => tiles(N, 8, M, 8),
});

/** What does `real`'s work for one combination of transposes each. */
export const REAL_TILES: readonly (Variant<typeof realTile> & {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
})[] = [
  {
    kernel: realTile,
    transposeA: false,
    transposeB: false,
    canApply: ({ M, N, K }) => M >= 4 && inFours(N) && inFours(K),
  },
  {
    kernel: realNtTile,
    transposeA: false,
    transposeB: true,
    canApply: ({ M, N, K }) => M >= 4 && inFours(N) && inFours(K),
  },
  {
    kernel: realTnTile,
    transposeA: true,
    transposeB: false,
    canApply: ({ M, N }) => inFours(M) && inFours(N),
  },
];
