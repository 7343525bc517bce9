/** Layers that join branches: `add` and `concat`. */
import { ShapeError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';
import { add as addOp, concatGrad, concat as concatOp } from '../ops/elementwise.ts';
import { asReal, type Layer, real } from './layer.ts';

/** Sum of two inputs of the same shape (a residual connection). */
export function add(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'add';
  return {
    name: options.name,
    kind: 'add',
    config: { ...options },
    outputShape(inputs, name) {
      const [first, second] = inputs;
      if (first === undefined || second === undefined || inputs.length !== 2 || !sameShape(first, second)) {
        throw misfit('two inputs of the same shape', inputs, name);
      }
      return first;
    },
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const [a, b] = inputs;
      if (a === undefined || b === undefined) throw misfit('two inputs', [], where);
      return {
        output: real(addOp(builder, asReal(builder, a), asReal(builder, b))),
        backward: (gradOutput) => ({
          inputs: [0, 1].map((index) => (wantsInputGradient[index] ? gradOutput : undefined)),
        }),
      };
    },
  };
}

/** Inputs side by side along the last axis; all other axes must agree. */
export function concat(options: { readonly name?: string } = {}): Layer {
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
    forward({ builder, wantsInputGradient }, inputs) {
      const parts = inputs.map((input) => asReal(builder, input));
      return {
        output: real(concatOp(builder, parts)),
        backward(gradOutput) {
          const grads = concatGrad(
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
