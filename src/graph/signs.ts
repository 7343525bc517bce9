/** What flows between the layers of a model that is run: signs, sums of their products, or reals. */
import type { Model, ModelLayer } from './model.ts';

/** Whether a layer multiplies binary weights with signs, whatever it adds. */
export function multipliesSigns(source: Model, index: number): boolean {
  const entry = source.layers[index];
  if (entry === undefined) return false;
  const { kind, config } = entry.layer;
  const isDepthwise = kind === 'quantDepthwiseConv2d';
  if (!isDepthwise && kind !== 'quantDense' && kind !== 'quantConv2d') return false;
  const weights = isDepthwise ? config.depthwiseQuantizer : config.kernelQuantizer;
  if (weights === undefined) return false;
  return config.inputQuantizer !== undefined || isSigns(source, entry.inputs[0] ?? -1);
}

/** Whether a layer's binary weights are signs and nothing else, without scales or offsets of their filters. */
export function hasPlainSigns({ parameters }: Pick<ModelLayer, 'parameters'>): boolean {
  return parameters.every(
    ({ quantizer }) => quantizer?.row?.hasScale !== true && quantizer?.row?.hasOffset !== true,
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
  const isScaled = rules.some((rule) => rule?.hasScale === true && !rule.hasOffset);
  return isScaled && isSum(source, index);
}

function isSum(source: Model, index: number): boolean {
  const entry = source.layers[index];
  if (entry === undefined) return false;
  const { kind, config } = entry.layer;
  if (config.useBias === true) return false;
  return (kind === 'quantConv2d' && config.inputIntegers !== undefined) || multipliesSigns(source, index);
}

/** Whether a layer's output travels as signs, when not training. */
export function isSigns(source: Model, index: number): boolean {
  const entry = source.layers[index];
  if (entry === undefined) return false;
  const { kind, config } = entry.layer;
  if (kind === 'sign' || kind === 'threshold' || kind === 'signPool2d') return true;
  if (kind === 'binaryConv2d' || kind === 'binaryDense') return config.output === 'signs';
  return (kind === 'maxPool2d' || kind === 'flatten') && isSigns(source, entry.inputs[0] ?? -1);
}
