/**
 * The other way round than `fold.ts`: a network of a model file, whose layers were folded for inference, in layers that train.
 * It stands apart from the layers that it replaces so that a page which only runs networks does not carry those that train.
 */
import { FormatError } from '../errors.ts';
import { add, affine, type Layer, prelu, quantConv2d, quantDense, relu, sign } from '../layers/index.ts';
import { renamed } from '../layers/layer.ts';
import { clampRange, type FusedActivation } from '../numerics/epilogue.ts';
import { assertModel } from '../options.ts';
import type { Model, ModelLayer } from './model.ts';
import { needed, rebuild, type ValuedPart } from './passes/pass.ts';
import { isPacked, type ParameterValue, type ParameterValues } from './values.ts';

/**
 * A network with gradients that gives what a folded one gives: binary products become `quantConv2d` and `quantDense` with what
 * was fused to them behind, thresholds become `affine` and `sign`. Products keep their names and weights, so that `startFrom`
 * finds them; other layers stay.
 * @returns the network and its values; `affine` keeps its numbers while the rest is trained
 * @throws FormatError when a value is missing
 * @example
 * ```ts
 * import { foldForInference, initialValues, mlp, unfoldForTraining } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const folded = foldForInference(network, initialValues(network, 1));
 * const { model } = unfoldForTraining(folded.model, folded.values);
 * console.log(model.summary());
 * ```
 */
export function unfoldForTraining(
  source: Model,
  values: ParameterValues,
): { readonly model: Model; readonly values: Map<string, ParameterValue> } {
  assertModel(source, 'unfoldForTraining', values);
  const replacements = new Map<number, readonly ValuedPart[]>();
  for (const [index, entry] of source.layers.entries()) {
    const parts = PARTS[entry.layer.kind]?.(entry, (name) => needed(values, `${entry.name}/${name}`));
    if (parts !== undefined) replacements.set(index, parts);
  }
  return rebuild(source, values, replacements);
}

/** Beyond any sum of signs. */
const FARTHEST = 2 ** 30;

type Reads = (parameter: string) => ParameterValue;

/** By the kind of what was folded. */
const PARTS: Readonly<Record<string, (entry: ModelLayer, read: Reads) => readonly ValuedPart[] | undefined>> =
  {
    threshold: ({ name }, read) => [
      compared(`${name}.affine`, read, -1),
      { layer: sign({ name }), from: [0], values: new Map() },
    ],
    binaryConv2d: (entry, read) => {
      const { name, activation: _, output: __, residual: ___, prelu: ____, ...windows } = entry.layer.config;
      return product(entry, read, (signs) =>
        quantConv2d({ ...windows, ...signs } as unknown as Parameters<typeof quantConv2d>[0]),
      );
    },
    binaryDense: (entry, read) =>
      product(entry, read, (signs) => quantDense({ units: Number(entry.layer.config.units), ...signs })),
  };

function product(
  { name, layer }: ModelLayer,
  read: Reads,
  make: (signs: { readonly kernelQuantizer: 'steSign'; readonly inputQuantizer?: 'steSign' }) => Layer,
): readonly ValuedPart[] {
  const { activation, output, residual, prelu: slopes, inputIntegers } = layer.config;
  const made = make({
    kernelQuantizer: 'steSign',
    ...(inputIntegers === undefined ? { inputQuantizer: 'steSign' } : {}),
  });
  const parts: ValuedPart[] = [
    { layer: renamed(made, name), from: [-1], values: new Map([['kernel', read('kernel')]]) },
  ];
  const append = (part: Omit<ValuedPart, 'from'>, ...more: number[]) => {
    parts.push({ ...part, from: [parts.length - 1, ...more] });
  };
  if (activation !== undefined) {
    const [minimum, maximum] = clampRange(activation as FusedActivation);
    append({ layer: relu({ name: `${name}.relu`, minimum, maximum }), values: new Map() });
  }
  if (output === 'signs') {
    append(compared(`${name}.affine`, read, parts.length - 1));
    append({ layer: sign({ name: `${name}.sign` }), values: new Map() });
    return parts;
  }
  append({
    layer: affine({ name: `${name}.affine` }),
    values: new Map([
      ['scale', read('multiplier')],
      ['shift', read('bias')],
    ]),
  });
  if (residual === true) append({ layer: add({ name: `${name}.add` }), values: new Map() }, -2);
  if (slopes === true) {
    append({ layer: prelu({ name: `${name}.prelu` }), values: new Map([['slope', read('slope')]]) });
  }
  return parts;
}

/** direction·x − threshold: at least 0 where direction·x ≥ threshold. */
function compared(name: string, read: Reads, from: number): ValuedPart {
  const [direction, threshold] = [read('direction'), read('threshold')];
  if (isPacked(threshold)) throw new FormatError('Signs are given where reals are needed.', { given: name });
  const values = new Map([
    ['scale', direction],
    // Constants have thresholds without bound.
    ['shift', threshold.map((own) => Math.max(-FARTHEST, Math.min(FARTHEST, -own)))],
  ]);
  return { layer: affine({ name }), from: [from], values };
}
