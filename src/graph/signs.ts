/** What flows between the layers of a model that is run: signs, sums of their products, or reals. */
import type { Model, ModelLayer } from './model.ts';

/** Whether a layer multiplies binary weights with signs, whatever it adds. */
export function multipliesSigns(source: Model, index: number): boolean {
  const entry = source.layers[index];
  const product = entry?.layer.traits?.product;
  if (entry === undefined || product?.binaryWeights !== true) return false;
  return product.input === 'signs' || isSigns(source, entry.inputs[0] ?? -1);
}

/** Whether a layer's binary weights are signs and nothing else, without scales or offsets of their filters. */
function hasPlainSigns({ parameters }: Pick<ModelLayer, 'parameters'>): boolean {
  return parameters.every(
    ({ quantizer: { row } = {} }) => row === undefined || !(row.hasScale || row.hasOffset || row.planes > 1),
  );
}

/** Whether a layer's sums are integers: binary weights that meet signs, or integers of 8 bits, and nothing added. */
export function isIntegerProduct(source: Model, index: number): boolean {
  const entry = source.layers[index];
  return entry !== undefined && hasPlainSigns(entry) && isSum(source, index);
}

/** Whether a layer's sums are integers times a scale of each filter, and nothing added. */
export function isScaledProduct(source: Model, index: number): boolean {
  const rules = source.layers[index]?.parameters.map(({ quantizer }) => quantizer?.row) ?? [];
  const isScaled = rules.some((rule) => rule?.hasScale === true && !rule.hasOffset && rule.planes === 1);
  return isScaled && isSum(source, index);
}

function isSum(source: Model, index: number): boolean {
  const product = source.layers[index]?.layer.traits?.product;
  if (product?.plain !== true) return false;
  return product.input === 'integers' || multipliesSigns(source, index);
}

/** Whether what a layer gives are integers: sums of signs, or what is selected of them. */
export function isIntegers(source: Model, index: number): boolean {
  const entry = source.layers[index];
  const output = entry?.layer.traits?.output;
  if (output === 'selection') return isIntegers(source, entry?.inputs[0] ?? -1);
  return output === 'integers' || isIntegerProduct(source, index);
}

/** Whether what a layer gives are the signs of its input, and nothing else. */
export function takesSigns({ layer: { traits }, parameters }: ModelLayer): boolean {
  return traits?.output === 'signs' && traits.readsSigns === true && parameters.length === 0;
}

/** Whether a layer's output travels as signs, when not training. */
export function isSigns(source: Model, index: number): boolean {
  const entry = source.layers[index];
  const output = entry?.layer.traits?.output;
  if (output === 'selection') return isSigns(source, entry?.inputs[0] ?? -1);
  return output === 'signs';
}
