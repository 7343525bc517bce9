/**
 * Distributions of weights in place of weights: each binary weight is +1 or −1 by chance while a network is trained, and what goes from
 * layer to layer are the means of signs. What is left at the end are the likelier signs: an ordinary binary network.
 *
 *   const model = expectedSigns({ input: [28, 28, 1], units: [256, 256], classes: 10 });
 *   const trainer = await Trainer.create(gpu, model, data, { loss: 'crossEntropy' });
 *   await trainer.fit();
 *   const network = inParts(model, await trainer.network.values()); // quantDense and sign
 */

import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { type Model, sequential } from '../graph/index.ts';
import { defineLayer, flatten, quantDense, sign } from '../layers/index.ts';
import { binaryMatMul, matMul, packSigns, signMatMul, unpackSigns } from '../ops/dense.ts';
import { add, addBias, biasGrad, constant, fill } from '../ops/elementwise.ts';
import { combine, expectedSign, expectedSignGrad } from '../ops/pointwise.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';

/** Sizes of a network whose weights are distributions. */
export interface ExpectedSignsOptions {
  /** Shape of a sample. */
  readonly input: readonly number[];
  /** Of each hidden layer. */
  readonly units: readonly number[];
  /** How many classes there are. */
  readonly classes: number;
}

/**
 * Fully connected layers whose weights are distributions (after Roth et al. 2019, training discrete-valued networks with sign
 * activations by weight distributions, and the code of its authors). Theirs has logits of {−1, 0, 1}, samples what goes from layer to
 * layer, begins with a trained real network, and takes 1200 units with dropout; here a weight is ±1, its latent weight is its mean,
 * and moments go on. Scores are not normalised: their statistics in training would be those of means. While it is trained, accuracies
 * of training are of distributions, those of tests are of the binary network.
 * @throws OptionError for no layer, or sizes that are no positive whole numbers
 */
export function expectedSigns(options: ExpectedSignsOptions): Model {
  assertKnownOptions(
    options,
    namesOf<ExpectedSignsOptions>({ input: true, units: true, classes: true }),
    'expectedSigns',
  );
  const { input, units, classes } = options;
  assertPresent(units, 'the units', 'expectedSigns', 'length');
  if (units.length === 0)
    throw new OptionError('A network has layers.', { given: 'units: []', where: 'expectedSigns' });
  const hidden = units.map((count, index) =>
    expectedSignDense({ name: `dense${index + 1}`, units: count, input: index === 0 ? 'values' : 'signs' }),
  );
  const scores = expectedSignDense({ name: 'scores', units: classes, input: 'signs', output: 'mean' });
  return sequential([flatten(), ...hidden, scores], { input, name: 'expectedSigns' });
}

/**
 * A product with weights that are ±1 by chance, of which the latent weights are the means, and the sign of it. In training it hands on
 * means: of x with means m (of signs, or values as they are), the product has mean Σ w·m + b and variance Σ (E[x²] − w²·m²), and
 * its sign has the mean erf(mean / √(2·variance)). When it is run, weights are the likelier signs, and signs flow out. Files that have
 * it are read with `loadModel(file, { with: [expectedSignDense] })`.
 */
export const expectedSignDense = /* @__PURE__ */ defineLayer({
  kind: 'expectedSignDense',
  options: {
    units: { from: 1, integer: true, says: 'outputs' },
    input: {
      default: 'signs',
      oneOf: ['signs', 'values'],
      says: 'what flows in: signs, of which training knows means, or values',
    },
    output: { default: 'signs', oneOf: ['signs', 'mean'], says: 'the sign of the product, or the product' },
  },
  outputShape: (_, { units }) => [units],
  parameters: ([[features = 1]], { units }) => [
    {
      ...{ name: 'kernel', shape: [units, features], role: 'binary', weightClip: true },
      ...{ initializer: { kind: 'uniform', limit: 0.5 }, fanIn: features, fanOut: units },
    },
    {
      ...{ name: 'bias', shape: [units], role: 'real', initializer: { kind: 'constant', value: 0 } },
      ...{ fanIn: 1, fanOut: units },
    },
  ],
  signs: true,
  operations: ([[features = 1]], { units, input }) =>
    input === 'signs' ? { binary: units * features, float: 0 } : { binary: 0, float: units * features },
  forward(context, [given], options) {
    const { builder: b, training, parameter, wantsInputGradient } = context;
    const { value: weights, packed } = parameter('kernel');
    const bias = parameter('bias').value;
    const isSigns = options.output === 'signs';
    if (!training) {
      const signs = packed ?? packSigns(b, weights);
      const multiply = given.dtype === 'bits' ? binaryMatMul : signMatMul;
      const sums = addBias(b, multiply(b, given, signs), bias);
      return { output: isSigns ? packSigns(b, sums) : sums, backward: () => ({ inputs: [undefined] }) };
    }
    const x = given.dtype === 'bits' ? unpackSigns(b, given) : given;
    const mean = addBias(b, matMul(b, x, weights, { transposeB: true }), bias);
    const [squares, spread] = [combine(b, 'multiply', x, x), spreadOf(b, weights)];
    const variance = isSigns ? varianceOf(b, squares, spread, options.input) : undefined;
    const output = variance === undefined ? mean : expectedSign(b, { mean, variance });
    return {
      output,
      backward(gradOutput) {
        const moments =
          variance === undefined
            ? { mean: gradOutput, variance: undefined }
            : expectedSignGrad(b, gradOutput, { mean, variance });
        const ofMean = matMul(b, moments.mean, x, { transposeA: true });
        const doubled = (gradient: Tensor, of: Tensor) => combine(b, 'multiply', add(b, of, of), gradient);
        const kernel =
          moments.variance === undefined
            ? ofMean
            : combine(
                b,
                'subtract',
                ofMean,
                doubled(matMul(b, moments.variance, squares, { transposeA: true }), weights),
              );
        const parameters = { kernel, bias: biasGrad(b, moments.mean) };
        if (!wantsInputGradient[0]) return { inputs: [undefined], parameters };
        const throughMean = matMul(b, moments.mean, weights);
        if (moments.variance === undefined) return { inputs: [throughMean], parameters };
        // Of values, the variance is Σ (1 - w²) x²; of signs, of which x has means, Σ (1 - w² x²).
        const factors = options.input === 'values' ? spread : combine(b, 'subtract', spread, constant(b, 1));
        const throughVariance = doubled(matMul(b, moments.variance, factors), x);
        return { inputs: [add(b, throughMean, throughVariance)], parameters };
      },
    };
  },
  traits: ({ units, output }) => ({
    ...(output === 'signs' && { output: 'signs' }),
    parts: () => [
      { name: 'product', layer: quantDense({ units, kernelQuantizer: 'steSign', useBias: true }) },
      ...(output === 'signs' ? [{ layer: sign() }] : []),
    ],
  }),
});

/** 1 − w²: the variance of each weight. */
function spreadOf(b: ProgramBuilder, weights: Tensor): Tensor {
  return combine(b, 'subtract', constant(b, 1), combine(b, 'multiply', weights, weights));
}

/** Of each product, above zero. @param squares of values, or of means of signs */
function varianceOf(b: ProgramBuilder, squares: Tensor, spread: Tensor, input: string): Tensor {
  const ofWeights = matMul(b, squares, spread, { transposeB: true });
  const least = combine(b, 'add', ofWeights, constant(b, LEAST));
  if (input === 'values') return least;
  const ones = b.transient('ones', [1, squares.shape.at(-1) ?? 1], 'f32');
  fill(b, ones, 1);
  const ofInputs = matMul(b, combine(b, 'subtract', constant(b, 1), squares), ones, { transposeB: true });
  return combine(b, 'add', least, ofInputs);
}

const LEAST = 1e-6;
