/**
 * Products of activations with signs that have a scale for each group of them along a row. Activations are f32, f16, or bytes with
 * a scale for each row; of each there is a kernel that shares one row of weights among invocations, for few rows of activations,
 * and one that makes tiles of four rows.
 */
import { type DType, defineKernel, linearWorkgroups, type Workgroups } from '../gpu/index.ts';
import { type Abilities, bytesCanApply, type Family } from './variants.ts';

const source = () => import('../../shaders/grouped.ts');

const CONSTANTS = ['M', 'N', 'K', 'GROUP', 'TERNARY', 'HALF_SCALES'] as const;

/** Of the product [M, K] x [N, K] -> [M, N], the length of a group, and 1 where weights are ternary, and where scales are f16. */
export type GroupedExtents = Readonly<Record<(typeof CONSTANTS)[number], number>>;

const work = ({ M, N, K }: GroupedExtents) => M * N * K;

/** A row of 32 columns a workgroup. */
const vectorGroups = ({ M, N }: GroupedExtents) => linearWorkgroups(M * Math.ceil(N / 32), 1);

/** 8 x 8 invocations a workgroup, of four rows of eight columns each. */
const tileGroups = ({ M, N }: GroupedExtents): Workgroups => [Math.ceil(N / 64), Math.ceil(M / 32), 1];

/** Whether there are four rows, and tiles enough to fill the device: software is full with a few. */
function tilesPay({ M, N }: GroupedExtents, { adapter }: Abilities): boolean {
  return M >= 4 && (adapter.software || Math.ceil(M / 4) * Math.ceil(N / 8) >= 1 << 14);
}

const bindings = { x: 'read', w: 'read', nonzero: 'read', scales: 'read', out: 'write' } as const;
const byteBindings = {
  x: 'read',
  w: 'read',
  nonzero: 'read',
  scales: 'read',
  xScales: 'read',
  out: 'write',
} as const;

const f32 = defineKernel({
  name: 'gemm/grouped_f32',
  ...{ source, bindings, constants: CONSTANTS, workgroups: vectorGroups, work, splits: 'line' },
});

const f32Tile = defineKernel({
  name: 'gemm/grouped_f32_tile',
  ...{ source, bindings, constants: CONSTANTS, workgroups: tileGroups, work, splits: 'rows' },
});

const f16 = defineKernel({
  name: 'gemm/grouped_f16',
  ...{ source, bindings, constants: CONSTANTS, workgroups: vectorGroups, work, splits: 'line' },
});

const f16Tile = defineKernel({
  name: 'gemm/grouped_f16_tile',
  ...{ source, bindings, constants: CONSTANTS, workgroups: tileGroups, work, splits: 'rows' },
});

/* @__NO_SIDE_EFFECTS__ */
const ofBytes = (name: string) => ({
  vector: defineKernel({
    name: `gemm/${name}`,
    ...{ source, bindings: byteBindings, constants: CONSTANTS, workgroups: vectorGroups, work },
    splits: 'line',
  }),
  tile: defineKernel({
    name: `gemm/${name}_tile`,
    ...{ source, bindings: byteBindings, constants: CONSTANTS, workgroups: tileGroups, work },
    splits: 'rows',
  }),
});

const bytes = ofBytes('grouped_i8');
const dots = ofBytes('grouped_i8_dots');

/** Software takes longer over dot products of bytes than over reals. */
const dotsPay = (device: Abilities) => !device.adapter.software;

const operandsWith =
  (dtype: DType) =>
  ({ M, N, K, GROUP, HALF_SCALES }: GroupedExtents) =>
    ({
      x: { shape: [M, K], dtype },
      w: { shape: [N, K], dtype: 'bits' },
      nonzero: { shape: [N, K], dtype: 'bits' },
      scales: { shape: [N, K / GROUP], dtype: HALF_SCALES === 1 ? 'f16' : 'f32' },
      out: { shape: [M, N], dtype: 'f32' },
    }) as const;

/** f32 [M, K] x bits [N, K] with f32 or f16 [N, K / GROUP] to f32 [M, N]. */
export const GROUPED_F32: Family<typeof f32, GroupedExtents> & { readonly general: typeof f32 } = {
  general: f32,
  name: 'groupedSignMatMul',
  exact: false,
  operands: operandsWith('f32'),
  variants: [{ kernel: f32Tile, canApply: () => true, isDefault: tilesPay }],
};

/** The same of f16 [M, K]. */
export const GROUPED_F16: Family<typeof f16, GroupedExtents> & { readonly general: typeof f16 } = {
  general: f16,
  name: 'groupedSignMatMul of halves',
  exact: false,
  operands: operandsWith('f16'),
  variants: [{ kernel: f16Tile, canApply: () => true, isDefault: tilesPay }],
};

/** The same of signed bytes [M, K] with f32 [M]. */
export const GROUPED_I8: Family<typeof bytes.vector, GroupedExtents> & {
  readonly general: typeof bytes.vector;
} = {
  general: bytes.vector,
  name: 'groupedSignMatMul of bytes',
  exact: false,
  operands: (extents) => ({
    ...operandsWith('u8')(extents),
    xScales: { shape: [extents.M], dtype: 'f32' },
  }),
  variants: [
    {
      kernel: dots.tile,
      canApply: (_, device) => bytesCanApply(device),
      isDefault: (extents, device) => dotsPay(device) && tilesPay(extents, device),
    },
    { kernel: bytes.tile, canApply: () => true, isDefault: tilesPay },
    {
      kernel: dots.vector,
      canApply: (_, device) => bytesCanApply(device),
      isDefault: (_, device) => dotsPay(device),
    },
  ],
};

/** f32 [COUNT] to f16 [COUNT]. */
export const halves = defineKernel({
  name: 'tokens/halves',
  source,
  bindings: { x: 'read', halves: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(Math.ceil(COUNT / 2), 64),
});

/** f32 [ROWS, CHANNELS] to signed bytes [ROWS, CHANNELS] and f32 [ROWS]; channels in fours. */
export const tokenBytes = defineKernel({
  name: 'tokens/bytes',
  source,
  bindings: { x: 'read', values: 'write', scales: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 1),
});
