/**
 * Families of kernels that compute the same, and the choice among them: what was pinned, what a measurement on this
 * adapter found best (`src/ops/tune.ts`), or else a default that depends on the shape and the kind of adapter only.
 */
import {
  type Constants,
  type DType,
  type Gpu,
  linearWorkgroups,
  type Shape,
  type Workgroups,
} from '../gpu/index.ts';

/** What a device offers, as far as variants ask for it. */
export type Abilities = Pick<Gpu, 'features' | 'limits' | 'adapter' | 'languageFeatures'>;

/** One kernel of a family. */
export interface Variant<Kernel, Extents> {
  readonly kernel: Kernel;
  /** Whether the kernel runs on this device and takes these extents. */
  canApply(extents: Extents, device: Abilities): boolean;
  /** Whether it is a good choice where nothing was measured; true when absent. */
  isDefault?(extents: Extents, device: Abilities): boolean;
}

/** Kernels with the same bindings and constants that compute the same from the same operands. */
export interface Family<Kernel, Extents> {
  /** In keys of choices: `binaryMatMul`, ... */
  readonly name: string;
  /** In the order in which a default is looked for. */
  readonly variants: readonly Variant<Kernel, Extents>[];
  /** Takes all extents on every device; absent where a kernel outside the family does. */
  readonly general?: Kernel;
  /** What each binding holds, so that a measurement can make operands. */
  operands(extents: Extents): Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;
  /** Whether results are exact, so that the choice changes no bit of them. */
  readonly exact: boolean;
}

/** Names a family and extents in the list of choices: `binaryMatMul(M=8,N=4,K=32)`. */
export function choiceKey(family: string, extents: Constants): string {
  const values = Object.entries(extents).map(([name, value]) => `${name}=${value}`);
  return `${family}(${values.join(',')})`;
}

/** What is known of the size of any kernel's dispatch. */
export interface Sized<Extents> {
  workgroups(extents: Extents): Workgroups;
}

/** Whether a device takes a dispatch of a kernel: tiles in rows and columns may be more than it has along an axis. */
function fitsDevice<Extents>(
  kernel: Sized<Extents>,
  extents: Extents,
  { limits }: Pick<Abilities, 'limits'>,
): boolean {
  const most = limits.maxComputeWorkgroupsPerDimension;
  return kernel.workgroups(extents).every((count) => count <= most);
}

function runs<Kernel extends Sized<Extents>, Extents>(
  { kernel, canApply }: Variant<Kernel, Extents>,
  extents: Extents,
  device: Abilities,
): boolean {
  return canApply(extents, device) && fitsDevice(kernel, extents, device);
}

/** The kernels of a family that run on a device and take these extents; the first default is not always the first. */
export function candidates<Kernel extends Sized<Extents>, Extents>(
  family: Family<Kernel, Extents>,
  extents: Extents,
  device: Abilities,
): readonly Kernel[] {
  const able = family.variants.filter((variant) => runs(variant, extents, device));
  return [...able.map(({ kernel }) => kernel), ...(family.general === undefined ? [] : [family.general])];
}

/** What runs where nothing was measured or pinned. */
export function defaultOf<Kernel extends Sized<Extents>, Extents>(
  family: Family<Kernel, Extents>,
  extents: Extents,
  device: Abilities,
): Kernel | undefined {
  const found = family.variants.find(
    (variant) => runs(variant, extents, device) && (variant.isDefault?.(extents, device) ?? true),
  );
  return found?.kernel ?? family.general;
}

/**
 * The kernel of a family for these extents: the chosen one where there is a choice and the device can run it, or else
 * the default. What was asked for is noted, so that it can be tuned.
 * @returns undefined where no kernel of the family takes these extents
 */
export function choose<Kernel extends Sized<Extents> & { readonly name: string }, Extents extends Constants>(
  family: Family<Kernel, Extents> & { readonly general: Kernel },
  extents: Extents,
  gpu: Gpu,
): Kernel;
export function choose<Kernel extends Sized<Extents> & { readonly name: string }, Extents extends Constants>(
  family: Family<Kernel, Extents>,
  extents: Extents,
  gpu: Gpu,
): Kernel | undefined;
export function choose<Kernel extends Sized<Extents> & { readonly name: string }, Extents extends Constants>(
  family: Family<Kernel, Extents>,
  extents: Extents,
  gpu: Gpu,
): Kernel | undefined {
  const able = candidates(family, extents, gpu);
  if (able.length === 0) return undefined;
  const key = choiceKey(family.name, extents);
  gpu.choices.ask(key, { family: family.name, extents });
  const chosen = gpu.choices.find(key);
  return able.find(({ name }) => name === chosen) ?? defaultOf(family, extents, gpu);
}

/** Workgroups of `lib/tile/binary.wgsl`: four rows of eight columns an invocation. */
export function tileGroups(rows: number, columns: number): Workgroups {
  return linearWorkgroups(Math.ceil(rows / 4) * Math.ceil(columns / 8), 64);
}

/** Workgroups of `lib/tile/binary_carry.wgsl`: eight rows of four columns an invocation. */
export function carryGroups(rows: number, columns: number): Workgroups {
  return linearWorkgroups((Math.ceil(rows / 8) * columns) / 4, 64);
}

/** Workgroups of `lib/tile/binary_quads.wgsl`: 64 rows of 64 columns each. */
export function quadGroups(rows: number, columns: number): Workgroups {
  return linearWorkgroups(Math.ceil(rows / 64) * Math.ceil(columns / 64), 1);
}

/** Whether a device has the broadcasts that `lib/tile/binary_quads.wgsl` needs. */
export function quadsCanApply(device: Abilities): boolean {
  return device.features.has('subgroups');
}

/**
 * Whether `lib/tile/binary_quads.wgsl` is a good choice untried: where loads are what takes the time, as in software, and for
 * enough work to make up for its compilation.
 * @param words that are compared
 */
export function quadsPay(words: number, device: Abilities): boolean {
  return device.adapter.software && words >= 2 ** 20;
}

/**
 * Whether counting word by word is the better choice of the two there: vectors of eight have an instruction for it, or too few
 * registers for so many adders; software with vectors of four is faster with adders.
 */
export function plainQuadsPay(words: number, device: Abilities): boolean {
  return quadsPay(words, device) && (device.adapter.lanes ?? 0) >= 8;
}

/** Workgroups of `lib/tile/binary_shared.wgsl`: 32 rows of 64 columns each. */
export function sharedGroups(rows: number, columns: number): Workgroups {
  return linearWorkgroups(Math.ceil(rows / 32) * Math.ceil(columns / 64), 1);
}

/** Workgroups of `lib/tile/sign_matrix.wgsl`: 64 rows of 128 columns of a slice each. */
export function bandGroups(rows: number, columns: number, slices = 1): Workgroups {
  return linearWorkgroups(Math.ceil(rows / 64) * Math.ceil(columns / 128) * slices, 1);
}

/** Workgroups of `lib/tile/binary_matrix.wgsl` whose TILE is 128: 128 rows of 128 columns each. */
function wideGroups(rows: number, columns: number): Workgroups {
  return quadGroups(rows / 2, columns / 2);
}

/**
 * Whether an invocation has few registers: on GPUs with subgroups below 32, which run twice their smallest subgroup in one
 * set of registers, 64 are all that it has.
 */
function hasFewRegisters({ adapter }: Abilities): boolean {
  return !adapter.software && adapter.lanes !== undefined && adapter.lanes < 32;
}

/**
 * A kernel with 64 sums an invocation, and the same with four by eight of them (`lib/tile/sums.wgsl`), which is the default
 * where registers are few. Every sum is added in the same order.
 * @param groups workgroups of the smaller tiles
 * @param isDefault whether the larger one is a good choice untried, where registers are not few; true when absent
 */
/* @__NO_SIDE_EFFECTS__ */
export function inTiles<Kernel extends { readonly name: string }, Extents>(
  kernel: Kernel,
  groups: (extents: Extents) => Workgroups,
  canApply: (extents: Extents) => boolean,
  isDefault: (extents: Extents) => boolean = () => true,
): readonly Variant<Kernel, Extents>[] {
  const small = {
    ...kernel,
    name: `${kernel.name}_4x8`,
    shader: kernel.name,
    fixed: { TILE_SUMS: 32 },
    workgroups: groups,
  };
  return [
    {
      kernel: small,
      canApply,
      isDefault: (extents, device) => hasFewRegisters(device) && isDefault(extents),
    },
    { kernel, canApply, isDefault },
  ];
}

const MATRIX_FEATURES = ['subgroups', 'chromium-experimental-subgroup-matrix'];

/** What kernels on matrix units of a type need: bytes no half floats. */
const matrixFeatures = (matrices: string) =>
  matrices.startsWith('f16') ? [...MATRIX_FEATURES, 'shader-f16'] : MATRIX_FEATURES;

/**
 * A kernel that includes one of `lib/matrix/*_*.wgsl`. It runs where it was measured, and its results with it, or pinned; never
 * untried.
 * @param matrices that it multiplies, as `AdapterSummary` has them, and in subgroups of how many invocations
 */
/* @__NO_SIDE_EFFECTS__ */
export function onMatrices<Kernel, Extents>(
  kernel: Kernel,
  matrices: string,
  canApply: (extents: Extents) => boolean,
): Variant<Kernel, Extents> {
  return {
    kernel: { ...kernel, subgroup: Number(matrices.split(' by ')[1]) },
    canApply: (extents, { features, adapter }) =>
      canApply(extents) &&
      matrixFeatures(matrices).every((name) => features.has(name)) &&
      adapter.matrices?.includes(matrices) === true,
    isDefault: () => false,
  };
}

/**
 * The kernels of a family that include `lib/tile/binary_matrix.wgsl`.
 * @param kernelOf makes one of its ending and its workgroups
 */
/* @__NO_SIDE_EFFECTS__ */
export function onByteMatrices<Kernel, Extents>(
  kernelOf: (ending: string, workgroups: typeof wideGroups) => Kernel,
  canApply: (extents: Extents) => boolean,
): Variant<Kernel, Extents>[] {
  return [
    onMatrices(kernelOf('16x16x32_wide', wideGroups), 'i8 16x16x32 i32 by 32', canApply),
    onMatrices(kernelOf('16x16x32', quadGroups), 'i8 16x16x32 i32 by 32', canApply),
    onMatrices(kernelOf('16x16x16_wide', wideGroups), 'i8 16x16x16 i32 by 32', canApply),
    onMatrices(kernelOf('16x16x16', quadGroups), 'i8 16x16x16 i32 by 32', canApply),
    onMatrices(kernelOf('8x8x8', quadGroups), 'i8 8x8x8 i32 by 8', canApply),
  ];
}

/** Whether an implementation knows the dot products that `lib/tile/binary_bytes.wgsl` needs. */
export function bytesCanApply(device: Abilities): boolean {
  return device.languageFeatures.has('packed_4x8_integer_dot_product');
}
