/**
 * What was recorded into a program, before it is planned. A pass looks through it and changes it: it may leave dispatches away,
 * put others in their place, and let them read other tensors, as long as all that is read or kept has the same bits.
 */
import type { Gpu } from './context.ts';
import type { Access, Constants, KernelSpec, Workgroups } from './kernel.ts';
import type { Tensor } from './tensor.ts';

/** One call of a kernel, as it was recorded. */
export interface Dispatch {
  /** What it runs. */
  readonly kernel: KernelSpec;
  /** The layer that recorded it. */
  readonly scope: string;
  /** The same, and the kernel. */
  readonly label: string;
  /** In the order of the kernel's bindings. */
  readonly tensors: readonly Tensor[];
  /** Values of the kernel's overrides. */
  readonly constants: Constants;
  /** How many workgroups run on each axis. */
  readonly workgroups: Workgroups;
  /** Whether it is of the way back. */
  readonly isBackward: boolean;
}

type Bindings = Readonly<Record<string, Access>>;

/** A dispatch, with its tensors and numbers by the names that its kernel has for them. */
export interface Match<B extends Bindings, C extends string> {
  readonly dispatch: Dispatch;
  readonly operands: { readonly [K in keyof B]: Tensor };
  readonly constants: Readonly<Record<C, number>>;
}

/** One rewrite. Programs make those that were asked for in the order in which they were. */
export type RecordingPass = (recording: Recording) => void;

/** Makes a dispatch in the place of another, with its label and its direction. */
export type MakeDispatch = <B extends Bindings, C extends string>(
  like: Dispatch,
  kernel: KernelSpec<B, C>,
  bindings: { readonly [K in keyof B]: Tensor },
  constants: Readonly<Record<C, number>>,
) => Dispatch;

/** The dispatches of a program that passes may change before it is planned. */
export class Recording {
  /** What the program will run on. */
  readonly gpu: Gpu;
  /** Makes a dispatch in the place of another, with its label and its direction. */
  readonly make: MakeDispatch;
  /** A tensor of the program's own with the shape of another. */
  readonly another: (like: Tensor) => Tensor;
  readonly #isKept: (tensor: Tensor) => boolean;
  readonly #list: Dispatch[];

  constructor(
    dispatches: readonly Dispatch[],
    made: {
      readonly gpu: Gpu;
      readonly make: MakeDispatch;
      readonly another: (like: Tensor) => Tensor;
      readonly isKept: (tensor: Tensor) => boolean;
    },
  ) {
    this.#list = [...dispatches];
    this.gpu = made.gpu;
    this.make = made.make;
    this.another = made.another;
    this.#isKept = made.isKept;
  }

  /** As they are now, in order. */
  get dispatches(): readonly Dispatch[] {
    return this.#list;
  }

  /** Those that run one of these kernels. */
  of<B extends Bindings, C extends string>(...kernels: readonly KernelSpec<B, C>[]): Match<B, C>[] {
    return this.#list.flatMap((dispatch) => matched(dispatch, ...kernels) ?? []);
  }

  /** Those that read a tensor, under any shape. */
  readers(tensor: Tensor): Dispatch[] {
    return this.#list.filter((dispatch) => touches(dispatch, tensor, 'read'));
  }

  /** Dispatches that write a tensor or a reshape of it, in order. */
  writers(tensor: Tensor): Dispatch[] {
    return this.#list.filter((dispatch) => touches(dispatch, tensor, 'write'));
  }

  /** The one dispatch that writes a tensor, and nothing else. */
  onlyWriter(tensor: Tensor): Dispatch | undefined {
    const [writer, ...others] = this.writers(tensor);
    if (writer === undefined || others.length > 0) return undefined;
    return Object.values(writer.kernel.bindings).filter((access) => access === 'write').length === 1
      ? writer
      : undefined;
  }

  /** Whether a tensor is read when the program has run. */
  isKept(tensor: Tensor): boolean {
    return this.#isKept(tensor);
  }

  /** Whether anybody needs what a dispatch writes into this tensor: another one, or who runs the program. */
  isNeeded(tensor: Tensor): boolean {
    return this.#isKept(tensor) || this.readers(tensor).length > 0;
  }

  /** Puts dispatches, or none, in the place of one. */
  exchange(old: Dispatch, ...made: readonly Dispatch[]): void {
    this.#list.splice(this.#list.indexOf(old), 1, ...made);
  }

  /** Puts a dispatch before another. */
  insertBefore(next: Dispatch, made: Dispatch): void {
    this.#list.splice(this.#list.indexOf(next), 0, made);
  }

  /** Lets a dispatch read another tensor, under the same shape. */
  redirect(reader: Dispatch, from: Tensor, to: Tensor): void {
    const access = Object.values(reader.kernel.bindings);
    const tensors = reader.tensors.map((tensor, i) =>
      tensor.base === from.base && access[i] === 'read' ? to.reshape(tensor.shape) : tensor,
    );
    this.exchange(reader, { ...reader, tensors });
  }
}

/** A dispatch as its kernel knows it, where it runs one of these. */
export function matched<B extends Bindings, C extends string>(
  dispatch: Dispatch | undefined,
  ...kernels: readonly KernelSpec<B, C>[]
): Match<B, C> | undefined {
  if (dispatch === undefined || !kernels.some((kernel) => Object.is(kernel, dispatch.kernel)))
    return undefined;
  const { constants } = dispatch;
  return {
    dispatch,
    constants: constants as Match<B, C>['constants'],
    operands: operandsOf(dispatch) as Match<B, C>['operands'],
  };
}

/** The tensors of a dispatch by the names of its kernel's bindings. */
export function operandsOf({ kernel, tensors }: Dispatch): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    Object.keys(kernel.bindings).flatMap((name, i) => {
      const tensor = tensors[i];
      return tensor === undefined ? [] : [[name, tensor]];
    }),
  );
}

function touches({ kernel, tensors }: Dispatch, { base }: Tensor, wanted: Access): boolean {
  const access = Object.values(kernel.bindings);
  return tensors.some((tensor, i) => tensor.base === base && access[i] === wanted);
}
