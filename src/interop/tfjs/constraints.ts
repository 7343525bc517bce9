/** Larq's constraint (larq/constraints.py). */
import { clipByValue, type serialization, type Tensor } from '@tensorflow/tfjs-core';
import { ConstraintBase } from './bases.ts';

/** Keeps weights in [−clipValue, clipValue]. */
export class WeightClip extends ConstraintBase {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'WeightClip';
  /** Largest magnitude of a weight; 1 when absent. */
  readonly clipValue: number;

  constructor(options: { readonly clipValue?: number | undefined } = {}) {
    super();
    this.clipValue = options.clipValue ?? 1;
  }

  override apply(w: Tensor): Tensor {
    return clipByValue(w, -this.clipValue, this.clipValue);
  }

  override getConfig(): serialization.ConfigDict {
    return { clipValue: this.clipValue };
  }
}
