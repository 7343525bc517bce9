/**
 * What a kernel is to the host: data, no code of its own. One specification per shader, in `src/kernels/`; its
 * bindings and constants are checked against the WGSL by reflection in the tests.
 */

export type Constants = Readonly<Record<string, number>>;
export type Workgroups = readonly [x: number, y: number, z: number];
export type Access = 'read' | 'write';

export interface KernelSpec<
  Bindings extends Readonly<Record<string, Access>> = Readonly<Record<string, Access>>,
  Constant extends string = string,
> {
  /** Path of the shader below `shaders/`, without `.wgsl`; the label of everything made from it. */
  readonly name: string;
  /** Linked WGSL. The entry point is `main`. */
  readonly source: string;
  /**
   * The bindings of group 0 in order: the n-th key is `@binding(n)`. `read` is `var<storage, read>`, `write` is
   * `var<storage, read_write>` (whether the kernel reads it too is the kernel's affair).
   */
  readonly bindings: Bindings;
  /** Pipeline-overridable constants that a caller must give, by name. */
  readonly constants: readonly Constant[];
  /** How many workgroups cover the problem. */
  workgroups(constants: Readonly<Record<Constant, number>>): Workgroups;
}

/** Declares a kernel; exists so that binding and constant names are inferred as literal types. */
export function defineKernel<
  const Bindings extends Readonly<Record<string, Access>>,
  const Constant extends string,
>(spec: KernelSpec<Bindings, Constant>): KernelSpec<Bindings, Constant> {
  return spec;
}

/** The most workgroups along one axis that every WebGPU device takes. */
export const MAX_WORKGROUPS = 65_535;

/**
 * Workgroups for `count` invocations in a row, `perGroup` a group: along x, wrapped into y when x is full. The shader
 * finds its index with `linear_index` of `lib/index.wgsl`, and leaves when it is `count` or more.
 */
export function linearWorkgroups(count: number, perGroup: number): Workgroups {
  const groups = Math.ceil(count / perGroup);
  if (groups <= MAX_WORKGROUPS) return [groups, 1, 1];
  const rows = Math.ceil(groups / MAX_WORKGROUPS);
  return [Math.ceil(groups / rows), rows, 1];
}
