/**
 * Tensors: a shape, an element type and, once allocated, a range of a GPU buffer.
 *
 * Element types
 * - `f32`, `i32`, `u32`: four bytes an element.
 * - `f16`: half floats as they are in memory, two to a 32-bit word, the first one in its lower half.
 * - `u8`: bytes (images, labels), four to a 32-bit word, least significant first.
 * - `bits`: signs, 32 to a `u32`, least significant first, along the last axis; every row starts a new word and the
 *   tail bits of its last word are 0. Bit 1 means −1, bit 0 means +1 (Larq Compute Engine's convention).
 */
import { Owner } from '../dispose.ts';
import { DisposedError, ShapeError } from '../errors.ts';

/** Element types of tensors: floats, integers, half floats, bytes, and packed signs. */
export type DType = 'f32' | 'i32' | 'u32' | 'f16' | 'u8' | 'bits';
/** Extents of a tensor, the outermost first. */
export type Shape = readonly number[];

/** Words that hold `count` signs. */
export function wordsFor(count: number): number {
  return Math.ceil(count / 32);
}

/** Elements of a shape; 1 for the empty shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Bytes a tensor of this shape and type takes, without padding at its end. */
export function byteLengthOf(shape: Shape, dtype: DType): number {
  if (dtype === 'u8') return sizeOf(shape);
  if (dtype === 'f16') return 2 * sizeOf(shape);
  if (dtype !== 'bits') return 4 * sizeOf(shape);
  const channels = shape.at(-1) ?? 1;
  return 4 * sizeOf(shape.slice(0, -1)) * wordsFor(channels);
}

/** `[2, 3] f32`, for error messages. */
export function describe(shape: Shape, dtype?: DType): string {
  return `[${shape.join(', ')}]${dtype === undefined ? '' : ` ${dtype}`}`;
}

/** @throws ShapeError unless every extent is a positive integer and the whole is addressable with 32 bits */
function assertShape(shape: Shape, where: string): void {
  const whole = shape.every((extent) => Number.isSafeInteger(extent) && extent > 0);
  if (!whole || sizeOf(shape) >= 2 ** 32) {
    throw new ShapeError('A shape is made of positive integers, and holds fewer than 2^32 elements.', {
      given: describe(shape),
      where,
    });
  }
}

/** Where a tensor's bytes are. */
export interface Placement {
  readonly buffer: GPUBuffer;
  /** Bytes from the start of the buffer; a multiple of the device's `minStorageBufferOffsetAlignment`. */
  readonly offset: number;
}

/**
 * A named, shaped range of GPU memory. Tensors come from `Gpu.tensor` (owned, allocated at once), from
 * `ProgramBuilder.transient` (placed by the memory plan), from `Tensor.view` (somebody else's buffer), or are declared
 * with `new Tensor` and given memory later by `Gpu.allocate`.
 */
export class Tensor extends Owner {
  /** Extent of each axis, row-major, channels last. */
  readonly shape: Shape;
  /** Type of an element; `bits` are signs, packed along the last axis. */
  readonly dtype: DType;
  /** What errors and memory plans call it. */
  readonly label: string;
  /** Bytes that the elements take, each row of `bits` padded to whole words. */
  readonly byteLength: number;
  /** The tensor whose memory this one shares; itself unless it came from `reshape`. */
  readonly base: Tensor;
  #placement: Placement | undefined;
  #release: (() => void) | undefined;
  #disposed = false;
  #isView = false;

  constructor(label: string, shape: Shape, dtype: DType, base?: Tensor) {
    super();
    assertShape(shape, label);
    this.label = label;
    this.shape = shape;
    this.dtype = dtype;
    this.byteLength = byteLengthOf(shape, dtype);
    this.base = base ?? this;
  }

  /** A tensor over a caller's buffer, which is never destroyed here. */
  static view(label: string, shape: Shape, dtype: DType, buffer: GPUBuffer, offset = 0): Tensor {
    const tensor = new Tensor(label, shape, dtype);
    tensor.#isView = true;
    if (buffer.size < offset + tensor.byteLength) {
      throw new ShapeError('The buffer is smaller than the tensor that is to lie in it.', {
        given: `${buffer.size} bytes, offset ${offset}`,
        expected: `${tensor.byteLength} bytes for ${describe(shape, dtype)}`,
        where: label,
      });
    }
    tensor.place({ buffer, offset });
    return tensor;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether it has memory on the GPU. */
  get isPlaced(): boolean {
    return this.base.#placement !== undefined;
  }

  /** Whether it lies in a caller's buffer, beside what else is there. */
  get isView(): boolean {
    return this.base.#isView;
  }

  override get disposed(): boolean {
    return this.base.#disposed;
  }

  /** @throws DisposedError after `dispose()`; ShapeError while no plan has placed the tensor yet */
  get placement(): Placement {
    if (this.disposed) {
      throw new DisposedError('This tensor was disposed.', { where: this.label });
    }
    const placement = this.base.#placement;
    if (placement === undefined) {
      throw new ShapeError('This tensor has no memory yet.', {
        where: this.label,
        remedy: 'compile its program, or call gpu.allocate(tensor), first',
      });
    }
    return placement;
  }

  /** The same memory under another shape. @throws ShapeError unless both take the same words in the same order */
  reshape(shape: Shape): Tensor {
    const tensor = new Tensor(this.label, shape, this.dtype, this.base);
    const sameRows =
      this.dtype !== 'bits' || (this.shape.at(-1) ?? 1) % 32 === 0 || this.shape.at(-1) === shape.at(-1);
    if (tensor.byteLength !== this.byteLength || tensor.size !== this.size || !sameRows) {
      throw new ShapeError('A tensor can only be reshaped to as many elements in the same order.', {
        given: describe(shape, this.dtype),
        expected: `as many elements as ${describe(this.shape, this.dtype)}`,
        where: this.label,
      });
    }
    return tensor;
  }

  /**
   * Gives the tensor its memory; the memory plan and `Gpu.allocate` call this.
   * @param release called once by `dispose()`; absent when the memory belongs to somebody else
   */
  place(placement: Placement, release?: () => void): void {
    this.base.#placement = placement;
    this.base.#release = release;
  }

  /** Frees the memory this tensor owns, if any. @throws DisposedError the second time */
  dispose(): void {
    if (this.disposed) {
      throw new DisposedError('This tensor was disposed already.', { where: this.label });
    }
    this.base.#disposed = true;
    this.base.#release?.();
    this.base.#placement = undefined;
  }
}
