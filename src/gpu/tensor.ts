/**
 * Tensors: a shape, an element type and, once allocated, a range of a GPU buffer.
 *
 * Element types
 * - `f32`, `i32`, `u32`: four bytes an element.
 * - `u8`: bytes (images, labels), four to a 32-bit word, least significant first.
 * - `bits`: signs, 32 to a `u32`, least significant first, along the last axis; every row starts a new word and the
 *   tail bits of its last word are 0. Bit 1 means −1, bit 0 means +1 (Larq Compute Engine's convention).
 */
import { DisposedError, ShapeError } from '../errors.ts';

export type DType = 'f32' | 'i32' | 'u32' | 'u8' | 'bits';
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
  if (dtype !== 'bits') return 4 * sizeOf(shape);
  const channels = shape.at(-1) ?? 1;
  return 4 * sizeOf(shape.slice(0, -1)) * wordsFor(channels);
}

/** `[2, 3] f32`, for error messages. */
export function describe(shape: Shape, dtype?: DType): string {
  return `[${shape.join(', ')}]${dtype === undefined ? '' : ` ${dtype}`}`;
}

/** @throws ShapeError unless every extent is a positive integer and the whole is addressable with 32 bits */
export function assertShape(shape: Shape, where: string): void {
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
 * `ProgramBuilder.transient` (placed by the memory plan) or from `Tensor.view` (somebody else's buffer).
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly label: string;
  readonly byteLength: number;
  #placement: Placement | undefined;
  #release: (() => void) | undefined;
  #disposed = false;

  /**
   * @param release called once by `dispose()`; absent for tensors that do not own their buffer
   */
  constructor(label: string, shape: Shape, dtype: DType, placement?: Placement, release?: () => void) {
    assertShape(shape, label);
    this.label = label;
    this.shape = shape;
    this.dtype = dtype;
    this.byteLength = byteLengthOf(shape, dtype);
    this.#placement = placement;
    this.#release = release;
  }

  /** A tensor over a caller's buffer, which is never destroyed here. */
  static view(label: string, shape: Shape, dtype: DType, buffer: GPUBuffer, offset = 0): Tensor {
    const tensor = new Tensor(label, shape, dtype, { buffer, offset });
    if (buffer.size < offset + tensor.byteLength) {
      throw new ShapeError('The buffer is smaller than the tensor that is to lie in it.', {
        given: `${buffer.size} bytes, offset ${offset}`,
        expected: `${tensor.byteLength} bytes for ${describe(shape, dtype)}`,
        where: label,
      });
    }
    return tensor;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get isPlaced(): boolean {
    return this.#placement !== undefined;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DisposedError after `dispose()`; ShapeError while no plan has placed the tensor yet */
  get placement(): Placement {
    if (this.#disposed) {
      throw new DisposedError('This tensor was disposed.', { where: this.label });
    }
    if (this.#placement === undefined) {
      throw new ShapeError('This tensor has no memory yet: its program was not compiled.', {
        where: this.label,
        remedy: 'await builder.compile() first',
      });
    }
    return this.#placement;
  }

  /** Called once by the memory plan. */
  place(placement: Placement): void {
    this.#placement = placement;
  }

  /** Frees the memory this tensor owns. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) {
      throw new DisposedError('This tensor was disposed already.', { where: this.label });
    }
    this.#disposed = true;
    this.#release?.();
    this.#placement = undefined;
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.dispose();
  }
}
