/**
 * Matrix products: packed signs times packed signs, reals times packed signs, reals times reals, and what their
 * gradients need. M, N, K name the extents of the forward product [M, K] x [N, K] -> [M, N], in its gradients too.
 *
 * A kernel without a suffix takes any shape and makes one output an invocation. One named `...Tile` makes a tile of
 * outputs in registers; it reads vectors, so some extents must be multiples of 4.
 */
import {
  defineKernel,
  linearWorkgroups,
  type ShaderSource,
  type Workgroups,
  wordsFor,
} from '../gpu/index.ts';
import {
  bandGroups,
  bytesCanApply,
  carryGroups,
  type Family,
  inTiles,
  onByteMatrices,
  onMatrices,
  plainQuadsPay,
  quadGroups,
  quadsCanApply,
  quadsPay,
  sharedGroups,
  tileGroups,
} from './variants.ts';

const shaders = () => import('../../shaders/products.ts');
const gradientShaders = () => import('../../shaders/training.ts');
const quadShaders = () => import('../../shaders/quads.ts');
const variantShaders = () => import('../../shaders/variants.ts');
const matrixShaders = () => import('../../shaders/matrix.ts');

/** Those of the forward product. */
export type Extents = Readonly<Record<'M' | 'N' | 'K', number>>;

/** Workgroups of 8 x 8 invocations that make `columns` x `rows` outputs each. */
function tiles(width: number, columns: number, height: number, rows: number): Workgroups {
  return [Math.ceil(width / (8 * columns)), Math.ceil(height / (8 * rows)), 1];
}

const products = ({ M, N, K }: Extents) => M * N * K;
/** Words that meet words. */
const comparisons = ({ M, N, K }: Extents) => M * N * wordsFor(K);

const inFours = (extent: number) => extent % 4 === 0;
const isInFours = ({ M, N, K }: Extents) => M >= 4 && inFours(N) && inFours(K);

const binary = defineKernel({
  name: 'gemm/binary',
  source: shaders,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'INTEGER'],
  work: comparisons,
  splits: 'line',
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

const binaryTile = defineKernel({
  name: 'gemm/binary_tile',
  source: shaders,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'INTEGER'],
  work: comparisons,
  workgroups: ({ M, N }) => tiles(N, 4, M, 4),
});

const bits = (rows: number, columns: number) => ({ shape: [rows, columns], dtype: 'bits' }) as const;
const reals = (rows: number, columns: number) => ({ shape: [rows, columns], dtype: 'f32' }) as const;

/** bits [M, K] x bits [N, K] to i32 or f32 [M, N]. */
export const BINARY: Family<typeof binary, Extents & { readonly INTEGER: number }> & {
  readonly general: typeof binary;
} = {
  general: binary,
  name: 'binaryMatMul',
  exact: true,
  operands: ({ M, N, K }) => ({ a: bits(M, K), w: bits(N, K), out: reals(M, N) }),
  variants: [{ kernel: binaryTile, canApply: ({ M, N }) => M >= 4 && inFours(N) }],
};

/** A kernel that reads the words of w with those of its rows side by side: [ceil(K / 32), N]. */
/* @__NO_SIDE_EFFECTS__ */
const binaryBySide = (
  name: string,
  source: ShaderSource,
  workgroups: (rows: number, columns: number) => Workgroups,
) =>
  defineKernel({
    name: `gemm/${name}`,
    source,
    bindings: { a: 'read', w: 'read', out: 'write' },
    constants: ['M', 'N', 'K', 'INTEGER'],
    work: comparisons,
    workgroups: ({ M, N }) => workgroups(M, N),
  });

const binaryColumns = binaryBySide('binary_columns', shaders, tileGroups);

/** bits [M, K] x words [ceil(K / 32), N] to i32 or f32 [M, N]; N in fours. */
export const BINARY_BY_SIDE: Family<typeof binaryColumns, Extents & { readonly INTEGER: number }> = {
  name: 'binaryMatMulBySide',
  exact: true,
  operands: ({ M, N, K }) => ({
    a: bits(M, K),
    w: { shape: [wordsFor(K), N], dtype: 'u32' },
    out: reals(M, N),
  }),
  variants: [
    {
      kernel: binaryBySide('binary_quads_plain', quadShaders, quadGroups),
      canApply: ({ N }, device) => inFours(N) && quadsCanApply(device),
      isDefault: ({ M, N, K }, device) => plainQuadsPay(M * N * wordsFor(K), device),
    },
    {
      kernel: binaryBySide('binary_quads', quadShaders, quadGroups),
      canApply: ({ N }, device) => inFours(N) && quadsCanApply(device),
      isDefault: ({ M, N, K }, device) => quadsPay(M * N * wordsFor(K), device),
    },
    { kernel: binaryColumns, canApply: ({ N }) => inFours(N) },
    {
      kernel: binaryBySide('binary_carry_ones', variantShaders, carryGroups),
      canApply: ({ N }) => inFours(N),
    },
    {
      kernel: binaryBySide('binary_carry_twos', variantShaders, carryGroups),
      canApply: ({ N }) => inFours(N),
    },
    {
      kernel: binaryBySide('binary_carry_fours', variantShaders, carryGroups),
      canApply: ({ N }) => inFours(N),
    },
    {
      kernel: binaryBySide('binary_shared', variantShaders, sharedGroups),
      canApply: ({ N }) => inFours(N),
    },
    {
      kernel: binaryBySide('binary_bytes', variantShaders, tileGroups),
      canApply: ({ N }, device) => inFours(N) && bytesCanApply(device),
    },
    ...onByteMatrices(
      (ending, workgroups) => binaryBySide(`binary_matrix_${ending}`, matrixShaders, workgroups),
      ({ N }: Extents) => inFours(N),
    ),
  ],
};

const sign = defineKernel({
  name: 'gemm/sign',
  source: shaders,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  work: products,
  splits: 'line',
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

const signTile = defineKernel({
  name: 'gemm/sign_tile',
  source: shaders,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  work: products,
  splits: 'rows',
  workgroups: ({ M, N }) => tiles(N, 16, M, 4),
});

/** f32 [M, K] x bits [N, K] to f32 [M, N]. */
export const SIGN: Family<typeof sign, Extents> & { readonly general: typeof sign } = {
  general: sign,
  name: 'signMatMul',
  exact: false,
  operands: ({ M, N, K }) => ({ x: reals(M, K), w: bits(N, K), out: reals(M, N) }),
  variants: inTiles(signTile, ({ M, N }) => tiles(N, 4, M, 8), isInFours),
};

const signGradInput = defineKernel({
  name: 'gemm/sign_grad_input',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  work: products,
  splits: 'line',
  workgroups: ({ M, K }) => linearWorkgroups(M * K, 64),
});

const signGradInputTile = defineKernel({
  name: 'gemm/sign_grad_input_tile',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  work: products,
  splits: 'rows',
  workgroups: ({ M, K }) => tiles(K, 16, M, 4),
});

const signGradInputShared = defineKernel({
  name: 'gemm/sign_grad_input_shared',
  source: gradientShaders,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  work: products,
  workgroups: ({ M, K }) => tiles(K, 16, M, 4),
});

/* @__NO_SIDE_EFFECTS__ */
const signGradInputOnMatrices = (name: string, matrices: string) =>
  onMatrices(
    defineKernel({
      name: `gemm/sign_grad_input_matrix_${name}`,
      source: matrixShaders,
      bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
      constants: ['M', 'N', 'K', 'GATED'],
      work: products,
      workgroups: ({ M, K }) => bandGroups(M, K),
    }),
    matrices,
    ({ N, K }: Extents) => inFours(N) && inFours(K),
  );

/** f32 [M, N] x bits [N, K] to f32 [M, K], gated. */
export const SIGN_GRAD_INPUT: Family<typeof signGradInput, Extents & { readonly GATED: number }> & {
  readonly general: typeof signGradInput;
} = {
  general: signGradInput,
  name: 'binaryMatMulGradInput',
  exact: false,
  operands: ({ M, N, K }) => ({ g: reals(M, N), w: bits(N, K), gate: bits(M, K), out: reals(M, K) }),
  variants: [
    ...inTiles(signGradInputTile, ({ M, K }: Extents) => tiles(K, 4, M, 8), isInFours),
    { kernel: signGradInputShared, canApply: isInFours },
    signGradInputOnMatrices('16x16x16', 'f16 16x16x16 f32 by 32'),
    signGradInputOnMatrices('8x8x8', 'f16 8x8x8 f32 by 8'),
  ],
};

const signGradWeights = defineKernel({
  name: 'gemm/sign_grad_weights',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  work: products,
  splits: 'line',
  workgroups: ({ N, K }) => linearWorkgroups(N * K, 64),
});

const signGradWeightsTile = defineKernel({
  name: 'gemm/sign_grad_weights_tile',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  work: products,
  splits: 'rows',
  workgroups: ({ N, K }) => tiles(K, 16, N, 4),
});

const signGradWeightsShared = defineKernel({
  name: 'gemm/sign_grad_weights_shared',
  source: gradientShaders,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  work: products,
  workgroups: ({ N, K }) => tiles(K, 16, N, 4),
});

/* @__NO_SIDE_EFFECTS__ */
const signGradWeightsOnMatrices = (name: string, matrices: string) =>
  onMatrices(
    defineKernel({
      name: `gemm/sign_grad_weights_matrix_${name}`,
      source: matrixShaders,
      bindings: { g: 'read', a: 'read', out: 'write' },
      constants: ['M', 'N', 'K'],
      work: products,
      workgroups: ({ N, K }) => bandGroups(N, K),
    }),
    matrices,
    ({ M, K }: Extents) => inFours(M) && inFours(K),
  );

/** Transposed f32 [M, N] x bits [M, K] to f32 [N, K]. */
export const SIGN_GRAD_WEIGHTS: Family<typeof signGradWeights, Extents> & {
  readonly general: typeof signGradWeights;
} = {
  general: signGradWeights,
  name: 'binaryMatMulGradWeights',
  exact: false,
  operands: ({ M, N, K }) => ({ g: reals(M, N), a: bits(M, K), out: reals(N, K) }),
  variants: [
    ...inTiles(
      signGradWeightsTile,
      ({ N, K }: Extents) => tiles(K, 4, N, 8),
      ({ K }: Extents) => inFours(K),
    ),
    // In fours, since the tile adds what is left over one by one.
    { kernel: signGradWeightsShared, canApply: ({ M, K }) => inFours(M) && inFours(K) },
    signGradWeightsOnMatrices('16x16x16', 'f16 16x16x16 f32 by 32'),
    signGradWeightsOnMatrices('8x8x8', 'f16 8x8x8 f32 by 8'),
  ],
};

/** f32 x f32 to f32 [M, N], any shape, either operand transposed. */
export const real = defineKernel({
  name: 'gemm/real',
  source: shaders,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'TRANSPOSE_A', 'TRANSPOSE_B'],
  work: products,
  splits: 'line',
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

/* @__NO_SIDE_EFFECTS__ */
const realTile = (name: string) =>
  defineKernel({
    name: `gemm/${name}`,
    source: shaders,
    bindings: { a: 'read', c: 'read', out: 'write' },
    constants: ['M', 'N', 'K'],
    work: products,
    splits: 'rows',
    workgroups: ({ M, N }) => tiles(N, 8, M, 8),
  });

const smallTiles = ({ M, N }: Extents) => tiles(N, 4, M, 8);

/** What does `real`'s work for one combination of transposes. */
type RealProducts = Family<ReturnType<typeof realTile>, Extents>;

/** f32 [M, K] x [K, N] to f32 [M, N]. */
export const REAL: RealProducts = {
  name: 'matMul',
  exact: false,
  operands: ({ M, N, K }) => ({ a: reals(M, K), c: reals(K, N), out: reals(M, N) }),
  variants: inTiles(realTile('real_tile'), smallTiles, isInFours),
};

/** f32 [M, K] x transposed [N, K] to f32 [M, N]. */
export const REAL_NT: RealProducts = {
  name: 'matMul by transposed',
  exact: false,
  operands: ({ M, N, K }) => ({ a: reals(M, K), c: reals(N, K), out: reals(M, N) }),
  variants: inTiles(realTile('real_nt_tile'), smallTiles, isInFours),
};

/** Transposed f32 [K, M] x [K, N] to f32 [M, N]. */
export const REAL_TN: RealProducts = {
  name: 'matMul of transposed',
  exact: false,
  operands: ({ M, N, K }) => ({ a: reals(K, M), c: reals(K, N), out: reals(M, N) }),
  variants: inTiles(
    realTile('real_tn_tile'),
    ({ M, N }: Extents) => tiles(N, 8, M, 4),
    ({ M, N }: Extents) => inFours(M) && inFours(N),
  ),
};
