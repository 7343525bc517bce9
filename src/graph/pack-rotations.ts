/** Generalized binarization in its packed form: the input is rotated once, and of the weights only signs are kept. */
import { type KernelRotation, type QuantDenseOptions, quantDense, rotate, sign } from '../layers/index.ts';
import { packSigns } from '../numerics/pack.ts';
import { paddedLength, rotate as rotated } from '../numerics/rotation.ts';
import { assertModel } from '../options.ts';
import type { Model, ModelLayer } from './model.ts';
import { needed, type Replacement, rebuild, type ValuedPart } from './passes/pass.ts';
import { floatValue, type ParameterValue, type ParameterValues } from './values.ts';

/** A network without weights that are rotated back, and its values. */
export interface PackedRotations {
  /** To the same outputs, but for the rounding of f32; for inference. */
  readonly model: Model;
  /** By `layer/parameter` of that model. */
  readonly values: Map<string, ParameterValue>;
  /** The layers that became a rotation and a product with packed signs. */
  readonly packed: readonly string[];
}

/**
 * Makes a `rotate` and a product with packed signs of every `quantDense` with a `kernelRotation`: its weights are Rᵀ·sign(R w), and
 * (Rᵀ·s)·x = s·(R x). They take one bit each instead of 32, and the length of rows is the next power of two. Convolutions stay as they
 * are: each of their windows would have to be rotated.
 * @param values of all parameters
 * @throws FormatError when a value is missing
 * @example
 * ```ts
 * import { initialValues, packRotations, quantDense, sequential } from 'webgpu-bnn';
 *
 * const network = sequential([quantDense({ units: 10, kernelRotation: { seed: 1 } })], { input: [100] });
 * const { model, values } = packRotations(network, initialValues(network, 1));
 * ```
 */
export function packRotations(source: Model, values: ParameterValues): PackedRotations {
  assertModel(source, 'packRotations', values);
  const taken = [...source.layers.entries()].flatMap(([index, entry]) => {
    const parts = partsOf(entry, values);
    return parts === undefined ? [] : [{ index, name: entry.name, parts }];
  });
  const replacements = new Map<number, Replacement>(taken.map(({ index, parts }) => [index, parts]));
  return { ...rebuild(source, values, replacements), packed: taken.map(({ name }) => name) };
}

function partsOf({ name, layer, parameters }: ModelLayer, values: ParameterValues): ValuedPart[] | undefined {
  const { kernelRotation, useBias, units = 1 } = layer.config as unknown as Partial<QuantDenseOptions>;
  const { product } = layer.traits ?? {};
  const kernel = parameters.find((spec) => spec.name === 'kernel');
  if (kernelRotation === undefined || product?.kind !== 'dense' || kernel === undefined) return undefined;
  const before: readonly ValuedPart[] =
    product.input === 'signs'
      ? [{ layer: sign({ name: `${name}.signs` }), from: [-1], values: new Map() }]
      : [];
  const key = `${name}/kernel`;
  const signs = rotatedRows(floatValue(needed(values, key), kernel.shape, key), units, kernelRotation);
  const options = { name, units, kernelQuantizer: 'steSign', ...(useBias === true && { useBias }) } as const;
  return [
    ...before,
    {
      layer: rotate({ name: `${name}.rotation`, ...kernelRotation }),
      from: [before.length - 1],
      values: new Map(),
    },
    {
      layer: quantDense(options),
      from: [before.length],
      values: new Map<string, ParameterValue>([
        ['kernel', signs],
        ...(useBias === true ? [['bias', needed(values, `${name}/bias`)] as const] : []),
      ]),
    },
  ];
}

/** The signs of R w, of every row. */
function rotatedRows(
  weights: Float32Array,
  units: number,
  { seed = 0, rounds = 3 }: KernelRotation,
): ParameterValue {
  const length = weights.length / units;
  const rows = Array.from({ length: units }, (_, row) =>
    rotated(weights.subarray(row * length, (row + 1) * length), { seed, rounds }),
  );
  const size = paddedLength(length);
  return { words: packSigns(rows.flat(), units, size), shape: [units, size] };
}
