/** Larq's metric (larq/metrics.py). */
import * as tf from '@tensorflow/tfjs-core';
import { DisposedError, ShapeError } from '../../errors.ts';

/**
 * The mean ratio of values that change from one update to the next. The first update only sets what the second is
 * compared with. Values are compared as integers, as Larq does with `int8`.
 *
 *   const metric = new FlipRatio();
 *   metric.updateState(tf.tensor1d([1, 1])); // result: 0
 *   metric.updateState(tf.tensor1d([2, 2])); // result: 1
 *   metric.updateState(tf.tensor1d([1, 2])); // result: 0.75
 */
export class FlipRatio {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className = 'FlipRatio';
  /** `flip_ratio` unless another was given. */
  readonly name: string;
  #previous: tf.Tensor | undefined;
  /** Sum of the ratios; on the device, so that an update reads nothing back. */
  #total: tf.Tensor | undefined;
  #count = 0;
  #disposed = false;

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name ?? 'flip_ratio';
  }

  /** Updates so far, the first one included. */
  get count(): number {
    return this.#count;
  }

  /** @param values any shape, the same at every update @throws ShapeError for another shape; DisposedError */
  updateState(values: tf.Tensor): void {
    this.#assertUsable();
    const previous = this.#previous;
    if (previous !== undefined && !tf.util.arraysEqual(previous.shape, values.shape)) {
      throw new ShapeError('The values of a flip ratio keep their shape.', {
        given: `[${values.shape.join(', ')}]`,
        expected: `[${previous.shape.join(', ')}]`,
        where: this.name,
      });
    }
    const [current, total] = tf.tidy(() => {
      const now = tf.keep(tf.cast(values, 'int32'));
      if (previous === undefined) return [now, undefined];
      if (this.#count === 0) return [now, this.#total];
      const flips = tf.mean(tf.cast(tf.notEqual(previous, now), 'float32'));
      return [now, tf.keep(this.#total === undefined ? flips : tf.add(this.#total, flips))];
    });
    previous?.dispose();
    if (total !== this.#total) this.#total?.dispose();
    this.#previous = current;
    this.#total = total;
    this.#count += 1;
  }

  /** The mean over all updates but the first; 0 before the second. The caller disposes it. */
  result(): tf.Scalar {
    this.#assertUsable();
    const total = this.#total;
    return tf.tidy(() =>
      total === undefined ? tf.scalar(0) : (tf.div(total, this.#count - 1) as tf.Scalar),
    );
  }

  /** Starts a new mean; the next update still sets anew what is compared with, as in Larq. */
  resetState(): void {
    this.#assertUsable();
    this.#total?.dispose();
    this.#total = undefined;
    this.#count = 0;
  }

  /** What its constructor takes. */
  getConfig(): tf.serialization.ConfigDict {
    return { name: this.name };
  }

  /** @throws DisposedError the second time */
  dispose(): void {
    this.#assertUsable();
    this.#disposed = true;
    this.#previous?.dispose();
    this.#total?.dispose();
  }

  #assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This metric was disposed.', { where: this.name });
  }
}
