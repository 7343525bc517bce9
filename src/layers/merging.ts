/** Layers that join branches: arithmetic of two inputs, `add` first of all, and `concat`. */

import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';
import { add as addOp, concat as concatOp } from '../ops/elementwise.ts';
import { type Combination, combine, combinedShape } from '../ops/pointwise.ts';
import { layerName } from '../options.ts';
import { assertInference, noGradient } from './inference.ts';
import { type Activation, asReal, gradientsOf, type Layer, real } from './layer.ts';

/**
 * Sum of two inputs of the same shape (a residual connection), or of extent 1 where they differ. The latter is for
 * inference.
 * @example
 * ```ts
 * import { add, apply, input, model, quantConv2d } from 'webgpu-bnn';
 *
 * const x = input([8, 8, 16]);
 * const options = { filters: 16, kernelSize: 3, padding: 'same', inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
 * model({ input: x, output: apply(add(), apply(quantConv2d(options), x), x) });
 * ```
 */
export function add(options: { readonly name?: string } = {}): Layer {
  return makeCombination('add', options, (_builder, gradOutput) => [() => gradOutput, () => gradOutput]);
}

/**
 * Product of two inputs, value by value; shapes as for `add`.
 * @example
 * ```ts
 * import { apply, input, model, multiply } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(multiply(), a, b) });
 * ```
 */
export function multiply(options: { readonly name?: string } = {}): Layer {
  return makeCombination('multiply', options, (builder, gradOutput, a, b) => [
    () => combine(builder, 'multiply', gradOutput, b),
    () => combine(builder, 'multiply', gradOutput, a),
  ]);
}

/**
 * The first input less the second; shapes as for `add`. For inference.
 * @example
 * ```ts
 * import { apply, input, model, subtract } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(subtract(), a, b) });
 * ```
 */
export function subtract(options: { readonly name?: string } = {}): Layer {
  return makeCombination('subtract', options, undefined);
}

/**
 * The first input divided by the second, which must not be 0; shapes as for `add`. For inference.
 * @example
 * ```ts
 * import { apply, divide, input, model } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(divide(), a, b) });
 * ```
 */
export function divide(options: { readonly name?: string } = {}): Layer {
  return makeCombination('divide', options, undefined);
}

/**
 * The lesser of two inputs, value by value; shapes as for `add`. For inference.
 * @example
 * ```ts
 * import { apply, input, minimum, model } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(minimum(), a, b) });
 * ```
 */
export function minimum(options: { readonly name?: string } = {}): Layer {
  return makeCombination('minimum', options, undefined);
}

/**
 * The greater of two inputs, value by value; shapes as for `add`. For inference.
 * @example
 * ```ts
 * import { apply, input, maximum, model } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(maximum(), a, b) });
 * ```
 */
export function maximum(options: { readonly name?: string } = {}): Layer {
  return makeCombination('maximum', options, undefined);
}

/** How the gradients with respect to both inputs are recorded, where they are wanted. */
type Gradients = (
  builder: ProgramBuilder,
  gradOutput: Tensor,
  a: Tensor,
  b: Tensor,
) => readonly [() => Tensor, () => Tensor];

function makeCombination(
  kind: Combination,
  options: { readonly name?: string },
  gradients: Gradients | undefined,
): Layer {
  const where = layerName(options, ['name'], kind);
  const both = <T>(inputs: readonly T[], given: readonly Shape[]): readonly [T, T] => {
    const [a, b] = inputs;
    if (a === undefined || b === undefined || inputs.length !== 2) throw misfit('two inputs', given, where);
    return [a, b];
  };
  return {
    name: options.name,
    kind,
    config: { ...options },
    outputShape: (inputs, name) => combinedShape(...both(inputs, inputs), name),
    parameters: () => [],
    forward({ builder, training, wantsInputGradient }, inputs) {
      const [first, second] = both<Activation>(inputs, []);
      const [a, b] = [asReal(builder, first), asReal(builder, second)];
      const isPlain = sameShape(a.shape, b.shape);
      if (gradients === undefined || !isPlain) assertInference(training, where);
      return {
        output: real(kind === 'add' && isPlain ? addOp(builder, a, b) : combine(builder, kind, a, b)),
        backward(gradOutput) {
          if (gradients === undefined) return noGradient(where);
          const records = gradients(builder, gradOutput, a, b);
          return { inputs: records.map((record, i) => (wantsInputGradient[i] ? record() : undefined)) };
        },
      };
    },
  };
}

/**
 * Inputs side by side along the last axis; all other axes must agree.
 * @example
 * ```ts
 * import { apply, concat, input, model } from 'webgpu-bnn';
 *
 * const [a, b] = [input([4]), input([4])];
 * model({ input: [a, b], output: apply(concat(), a, b) });
 * ```
 */
export function concat(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'concat');
  return {
    name: options.name,
    kind: 'concat',
    config: { ...options },
    outputShape(inputs, name) {
      const [first] = inputs;
      if (first === undefined || inputs.some((shape) => !sameShape(shape.slice(0, -1), first.slice(0, -1)))) {
        throw misfit('inputs that agree in all axes but the last', inputs, name);
      }
      return [...first.slice(0, -1), inputs.reduce((sum, shape) => sum + (shape.at(-1) ?? 1), 0)];
    },
    parameters: () => [],
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const parts = inputs.map((input) => asReal(builder, input));
      return {
        output: real(concatOp(builder, parts)),
        backward(gradOutput) {
          const grads = gradientsOf(context, where).concatGrad(
            builder,
            gradOutput,
            parts.map((part) => part.shape.at(-1) ?? 1),
          );
          return { inputs: grads.map((grad, index) => (wantsInputGradient[index] ? grad : undefined)) };
        },
      };
    },
  };
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

function misfit(expected: string, inputs: readonly Shape[], where: string): ShapeError {
  const given = inputs.map((shape) => describe(shape)).join(' and ');
  return new ShapeError("The inputs don't fit this layer.", { given, expected, where });
}
