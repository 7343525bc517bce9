/** TensorFlow.js Layers takes constraints, and applies none of them while it trains. Ours are applied, as in Keras. */
import * as tf from '@tensorflow/tfjs-core';
import type { Applied, Layer } from './bases.ts';

/** Applies the constraints of a layer's weights to whatever is assigned to them, by an optimizer or otherwise. */
export function applyConstraints(layer: Layer): void {
  for (const weight of layer.weights) {
    const { constraint } = weight as unknown as { readonly constraint: Applied | null };
    if (constraint === null) continue;
    const variable = weight.read() as tf.Variable;
    const assign = variable.assign.bind(variable);
    variable.assign = (value) => tf.tidy(() => assign(constraint.apply(value)));
  }
}
