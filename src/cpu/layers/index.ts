/** Every layer that the engine runs, by its kind. */
import { listed, OptionError } from '../../errors.ts';
import type { Model, ParameterValues } from '../../graph/index.ts';
import { assertSaysQuantizers } from '../../graph/rules.ts';
import { type Program, Recorder, type Value } from '../program.ts';
import { type Lower, Lowering } from './lowering.ts';
import * as others from './others.ts';
import * as pointwise from './pointwise.ts';
import * as pools from './pools.ts';
import { depthwise, fused, separable, trained } from './products.ts';

const LAYERS: Readonly<Record<string, Lower>> = {
  add: others.combination('add'),
  affine: pointwise.affine,
  averagePool2d: pools.averagePool2d,
  batchNormalization: pointwise.batchNormalization,
  binaryConv2d: fused,
  binaryDense: fused,
  concat: others.concat,
  conv2d: trained,
  dense: trained,
  divide: others.combination('divide'),
  dropout: pointwise.unchanged,
  elementwiseAffine: pointwise.elementwiseAffine,
  flatten: pointwise.reshaped,
  globalAveragePool2d: pools.globalAveragePool2d,
  leakyRelu: pointwise.leakyRelu,
  maxPool2d: pools.maxPool2d,
  maximum: others.combination('maximum'),
  minimum: others.combination('minimum'),
  multiThreshold: others.multiThreshold,
  multiply: others.combination('multiply'),
  pad2d: others.pad2d,
  prelu: pointwise.prelu,
  quantConv2d: trained,
  quantDense: trained,
  quantDepthwiseConv2d: depthwise,
  quantSeparableConv2d: separable,
  quantize: others.quantize,
  relu: pointwise.relu,
  requantize: others.requantize,
  reshape: pointwise.reshaped,
  selu: others.selu,
  sigmoid: others.sigmoid,
  sign: pointwise.sign,
  signPool2d: pools.signPool2d,
  slice: others.slice,
  softmax: others.softmax,
  subtract: others.combination('subtract'),
  tanh: others.tanh,
  threshold: pointwise.threshold,
  transpose: others.transpose,
};

/** Kinds of layers that the engine runs. */
export const KINDS: readonly string[] = Object.keys(LAYERS);

/**
 * A model as steps.
 * @throws OptionError naming a layer that the engine doesn't run; FormatError where a value is missing
 */
export function programOf(model: Model, values: ParameterValues): Program {
  assertSaysQuantizers(model, 'The WebAssembly engine');
  const recorder = new Recorder();
  const inputs = model.inputs.map(({ shape }) => recorder.value('real', shape));
  const made: Value[] = [];
  const inputOf = (from: number): Value => {
    const value = made[from] ?? inputs[-1 - from];
    if (value !== undefined) return value;
    throw new OptionError('A layer reads what there is not.', { where: model.name });
  };
  for (const entry of model.layers) {
    const { layer, name } = entry;
    const lower = Object.hasOwn(LAYERS, layer.kind) ? LAYERS[layer.kind] : undefined;
    if (lower === undefined) {
      throw new OptionError('The WebAssembly engine does not run this layer.', {
        given: layer.kind,
        expected: listed(KINDS),
        where: name,
        remedy: 'run the network on a GPU: a layer of your own has its arithmetic in shaders',
      });
    }
    recorder.where = name;
    made.push(lower(new Lowering(recorder, entry, values), entry.inputs.map(inputOf)));
  }
  recorder.where = 'output';
  const outputs = model.outputs.map(({ from }) => recorder.reals(inputOf(from)));
  return { steps: recorder.steps, inputs, outputs };
}
