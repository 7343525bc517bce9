/** The layers that the engine runs, by their kinds. Rare ones are loaded when a network has them. */
import { type FormatError, LayerNotRunError, listed, OptionError } from '../../errors.ts';
import { inParts, type Model, type ParameterValues } from '../../graph/index.ts';
import { assertSaysQuantizers } from '../../graph/rules.ts';
import { type Program, Recorder, type Value } from '../program.ts';
import { type Lower, Lowering } from './lowering.ts';
import * as pointwise from './pointwise.ts';
import * as pools from './pools.ts';
import { depthwise, fused, trained } from './products.ts';

const LAYERS: Readonly<Record<string, Lower>> = {
  affine: pointwise.affine,
  averagePool2d: pools.averagePool2d,
  batchNormalization: pointwise.batchNormalization,
  binaryConv2d: fused,
  binaryDense: fused,
  conv2d: trained,
  dense: trained,
  dropout: pointwise.unchanged,
  elementwiseAffine: pointwise.elementwiseAffine,
  flatten: pointwise.reshaped,
  globalAveragePool2d: pools.globalAveragePool2d,
  maxPool2d: pools.maxPool2d,
  prelu: pointwise.prelu,
  quantConv2d: trained,
  quantDense: trained,
  quantDepthwiseConv2d: depthwise,
  relu: pointwise.relu,
  reshape: pointwise.reshaped,
  sign: pointwise.sign,
  signPool2d: pools.signPool2d,
  threshold: pointwise.threshold,
};

/** The layers for some kinds. */
async function layersFor(kinds: readonly string[]): Promise<Readonly<Record<string, Lower>>> {
  if (kinds.every((kind) => Object.hasOwn(LAYERS, kind))) return LAYERS;
  const { OTHERS } = await import('./others.ts');
  return { ...LAYERS, ...OTHERS };
}

/** Kinds of layers that the engine runs, beside those that are made of them. */
export async function kindsOfLayers(): Promise<string[]> {
  return Object.keys(await layersFor(['']));
}

/**
 * A model as steps.
 * @throws LayerNotRunError naming a layer that the engine doesn't run; FormatError where a value is missing
 */
export async function programOf(source: Model, given: ParameterValues): Promise<Program> {
  const known = await layersFor(source.layers.map(({ layer }) => layer.kind));
  const { model, values } = inParts(source, given, (kind) => Object.hasOwn(known, kind));
  try {
    assertSaysQuantizers(model, 'The WebAssembly engine');
  } catch (cause) {
    const { what, given, expected, where } = cause as FormatError;
    const remedy = 'run the network on a GPU';
    throw new LayerNotRunError(what, { given, expected, where, remedy, cause });
  }
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
    const lower = Object.hasOwn(known, layer.kind) ? known[layer.kind] : undefined;
    if (lower === undefined) {
      throw new LayerNotRunError('The WebAssembly engine does not run this layer.', {
        given: layer.kind,
        expected: listed(Object.keys(known)),
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
