/**
 * What a kernel is to the host: data, no code of its own. One specification per shader, in `src/kernels/`; its
 * bindings and constants are checked against the WGSL by reflection in the tests. The WGSL itself is loaded when it is
 * needed, so that a page downloads the shaders that it runs.
 */
import { DataUnavailableError } from '../errors.ts';

/** Values of override constants by name. */
export type Constants = Readonly<Record<string, number>>;
/** How many workgroups a dispatch has. */
export type Workgroups = readonly [x: number, y: number, z: number];
/** Whether a kernel reads a buffer or writes it. */
export type Access = 'read' | 'write';

/** Linked WGSL by path below `shaders/`: `./pack/pack.wgsl`. */
export type Shaders = Readonly<Record<string, string>>;

/** Linked WGSL, or the family of shaders that holds it, which is loaded when a kernel of it is first compiled. */
export type ShaderSource = string | (() => Promise<{ readonly default: Shaders }>);

/** What goes into a hole. */
export interface Filling {
  /** The method's name, for labels and errors. */
  readonly name: string;
  /** The function that the hole is for, with all that it needs; `//!include` lines take in pieces of `shaders/lib`. */
  readonly wgsl: string;
  /** The names that the frame calls it by: the hole's function, and types that go with it. */
  readonly provides: readonly string[];
  /** Values of the pipeline-overridable constants that it declares, by name. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** What goes into the holes of a frame, by their names. */
export type Fillings = Readonly<Record<string, Filling>>;

/** What is in the holes of a frame. It brings its own code: pages that use no frames don't carry it. */
export interface Filled {
  /** The frame's name. */
  readonly frame: string;
  readonly fillings: Fillings;
  /** Whether a method's WGSL includes pieces of `shaders/lib`. */
  readonly needsLibrary: boolean;
  /** The text of the frame with its holes filled. */
  textIn(text: string, pieceOf: (path: string) => string | undefined): string;
  /** Where a line of that text stands for whom wrote it. */
  methodAt(text: string, line: number): { readonly name: string; readonly line: number } | undefined;
}

/** A kernel as data: its shader, bindings, constants and workgroups. */
export interface KernelSpec<
  Bindings extends Readonly<Record<string, Access>> = Readonly<Record<string, Access>>,
  Constant extends string = string,
> {
  /** Path of the shader below `shaders/`, without `.wgsl`; the label of everything made from it. */
  readonly name: string;
  /** The path where that is not the name: of a shader that another kernel is named by, which differs in `fixed`. */
  readonly shader?: string;
  /** Values of pipeline-overridable constants that the shader has defaults for. */
  readonly fixed?: Constants;
  /** The size of subgroups that the shader is written for; it is asked for where a device lets one ask. */
  readonly subgroup?: number;
  /** Its WGSL. */
  readonly source: ShaderSource;
  /**
   * The bindings of group 0 in order: the n-th key is `@binding(n)`. `read` is `var<storage, read>`, `write` is
   * `var<storage, read_write>` (whether the kernel reads it too is the kernel's affair).
   */
  readonly bindings: Bindings;
  /** Pipeline-overridable constants that a caller must give, by name. */
  readonly constants: readonly Constant[];
  /** How many workgroups cover the problem. */
  workgroups(constants: Readonly<Record<Constant, number>>): Workgroups;
  /**
   * Multiply-adds, or comparisons of words, that it does: an estimate, so that long programs are submitted in parts. When
   * absent, the elements that it is bound to.
   */
  work?(constants: Readonly<Record<Constant, number>>): number;
  /**
   * How a dispatch that would take long may be done in parts, some rows of its workgroups each, whose first one the shader
   * takes for FIRST_ROW: by `linear_index` (`lib/index.wgsl`) workgroups are a line that may be laid out in any number
   * of rows; by `tile_row` they have the rows that `workgroups` says. Absent where it can't be parted.
   */
  readonly splits?: 'line' | 'rows';
  /**
   * Whether its result costs less to make anew on the way back than to keep until then: products of signs, whose operands are
   * bits, which are kept anyway.
   */
  readonly repeats?: boolean;
  /** Frames only: what is in their holes; absent for a frame as it is on disk. See `fillFrame`. */
  readonly filled?: Filled;
  /** Frames only: the pieces of `shaders/lib` that a method's WGSL may include. */
  readonly library?: () => Promise<{ readonly default: Shaders }>;
}

/** A part of a dispatch: rows of its workgroups from `firstRow` on. */
export interface DispatchPart {
  readonly workgroups: Workgroups;
  readonly firstRow: number;
}

/** A dispatch in parts, as many as are wanted where its kernel can have so many; the whole of it where it can't. */
export function partsOf({ splits }: KernelSpec, workgroups: Workgroups, wanted: number): DispatchPart[] {
  const [x, y, z] = workgroups;
  if (splits === undefined || wanted <= 1) return [{ workgroups, firstRow: 0 }];
  const [width, rows] = splits === 'line' && y < wanted ? [Math.ceil((x * y) / wanted), wanted] : [x, y];
  const height = Math.ceil(rows / wanted);
  return Array.from({ length: Math.ceil(rows / height) }, (_, i): DispatchPart => {
    const firstRow = i * height;
    return { workgroups: [width, Math.min(height, rows - firstRow), z], firstRow };
  });
}

/** Declares a kernel; exists so that binding and constant names are inferred as literal types. */
/* @__NO_SIDE_EFFECTS__ */
export function defineKernel<
  const Bindings extends Readonly<Record<string, Access>>,
  const Constant extends string,
>(spec: KernelSpec<Bindings, Constant>): KernelSpec<Bindings, Constant> {
  return spec;
}

/** Shaders that were handed in. */
const provided = new Map<string, string>();

/** Hands in shaders, for callers that can't wait for them. */
export function provideShaders(shaders: Shaders): void {
  for (const [path, text] of Object.entries(shaders)) provided.set(path, text);
}

/** Families that were loaded, by their loaders: two families may hold a shader of one name. */
const families = new WeakMap<Exclude<ShaderSource, string>, Shaders>();

/** The text of a kernel's shader, where that is here already. @throws OptionError for WGSL of a method that can't be linked */
export function shaderOf({ name, shader, source, filled, library }: KernelSpec): string | undefined {
  const path = `./${filled?.frame ?? shader ?? name}.wgsl`;
  const text = typeof source === 'string' ? source : (families.get(source)?.[path] ?? provided.get(path));
  if (text === undefined || filled === undefined) return text;
  const pieces = library && families.get(library);
  if (pieces === undefined && filled.needsLibrary) return undefined;
  return filled.textIn(text, (piece) => pieces?.[`./${piece}`]);
}

/** Families that are on their way. */
const loading = new Map<ShaderSource, Promise<unknown>>();

/** The text of a kernel's shader, loaded with its family on first use. @throws DataUnavailableError where it can't be loaded */
export async function loadShader(kernel: KernelSpec): Promise<string> {
  const { name, source, filled, library } = kernel;
  let cause: unknown;
  const needed = [source, ...(filled?.needsLibrary && library ? [library] : [])];
  for (const family of needed) {
    if (typeof family === 'string' || families.has(family)) continue;
    const loaded = loading.get(family) ?? family().then((module) => families.set(family, module.default));
    loading.set(family, loaded);
    await loaded.catch((reason: unknown) => {
      cause = reason;
    });
    loading.delete(family);
  }
  const text = shaderOf(kernel);
  if (text !== undefined) return text;
  throw new DataUnavailableError("A kernel's shader can't be loaded.", {
    given: cause === undefined ? 'no such shader in its family' : String(cause),
    where: name,
    remedy: 'serve all files that the bundler wrote, and reload a page that is older than they are',
    cause,
  });
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
