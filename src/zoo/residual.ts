/**
 * Residual networks whose convolutions are binary and whose connections past them carry reals: every binary convolution has one
 * (Liu et al. 2018). Small images keep their size in the first layers, where those of the papers, for 224×224, are made smaller.
 */
import { apply, type GraphNode, input as inputNode, type Model, model } from '../graph/index.ts';
import {
  add,
  averagePool2d,
  batchNormalization,
  conv2d,
  dense,
  globalAveragePool2d,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDepthwiseConv2d,
  relu,
} from '../layers/index.ts';
import { type ModelOptions, told } from './options.ts';

/** Images with a side of so many pixels are made smaller before the first block. */
const LARGE = 64;

/** Sizes of a residual network. */
export interface ResidualOptions extends ModelOptions {
  /** Of the first stage; each later one has twice as many. */
  readonly filters?: number;
}

/** Sizes of a QuickNet. */
export interface QuickNetOptions extends ResidualOptions {
  /** Binary convolutions of each of the four stages. */
  readonly blocks?: number;
}

const through = (start: GraphNode, ...layers: readonly Layer[]) =>
  layers.reduce((node, layer) => apply(layer, node), start);

/** A binary convolution with a connection past it; the connection of a strided one is pooled, and a convolution of pixels. */
function block(x: GraphNode, name: string, filters: number, strides: 1 | 2): GraphNode {
  const product = through(
    x,
    quantConv2d({
      ...{ name, filters, strides, kernelSize: 3, padding: 'same' },
      ...{
        inputQuantizer: 'approxSign',
        kernelQuantizer: 'steSign',
        kernelInitializer: { kind: 'uniform', limit: 0.5 },
      },
    }),
    batchNormalization({ name: `${name}Norm` }),
  );
  if (strides === 1) return apply(add({ name: `${name}Add` }), product, x);
  const past = through(
    x,
    averagePool2d({ name: `${name}Pool`, poolSize: 2, padding: 'same' }),
    conv2d({ name: `${name}Past`, filters, kernelSize: 1 }),
    batchNormalization({ name: `${name}PastNorm` }),
  );
  return apply(add({ name: `${name}Add` }), product, past);
}

/** Stages of blocks, each with twice the filters of the one before, at half its size. */
function stages(start: GraphNode, filters: number, blocks: readonly number[]): GraphNode {
  return blocks.reduce(
    (node, count, stage) =>
      Array.from({ length: count }, (_, i) => i).reduce(
        (x, i) => block(x, `conv${stage + 2}_${i + 1}`, filters * 2 ** stage, stage > 0 && i === 0 ? 2 : 1),
        node,
      ),
    start,
  );
}

const head = (x: GraphNode, classes: number) =>
  through(x, globalAveragePool2d({ name: 'mean' }), dense({ name: 'scores', units: classes, useBias: true }));

/**
 * Bi-Real Net of 18 layers (Liu et al. 2018): four stages of four binary 3×3 convolutions, `approxSign` of activations; the first
 * layer, the last one and the connections between stages are of reals.
 */
export function birealnet18(options: ResidualOptions): Model {
  const { input, classes, filters = 64 } = told('birealnet18', options, 'filters');
  const image = inputNode(input);
  const isLarge = Math.min(input[0] ?? 0, input[1] ?? 0) >= LARGE;
  const [kernelSize, strides] = isLarge ? [7, 2] : [3, 1];
  const stem = through(
    image,
    conv2d({ name: 'conv1', filters, kernelSize, strides, padding: 'same' }),
    batchNormalization({ name: 'norm1' }),
    ...(isLarge ? [maxPool2d({ name: 'pool1', poolSize: 3, strides: 2, padding: 'same' })] : []),
  );
  return model({
    input: image,
    output: head(stages(stem, filters, [4, 4, 4, 4]), classes),
    name: 'birealnet18',
  });
}

/**
 * ResNet-20 for small images (He et al. 2016) with binary convolutions: three stages of six, 16, 32 and 64 filters, with a
 * connection past each.
 */
export function resnet20(options: ResidualOptions): Model {
  const { input, classes, filters = 16 } = told('resnet20', options, 'filters');
  const image = inputNode(input);
  const stem = through(
    image,
    conv2d({ name: 'conv1', filters, kernelSize: 3, padding: 'same' }),
    batchNormalization({ name: 'norm1' }),
  );
  return model({ input: image, output: head(stages(stem, filters, [6, 6, 6]), classes), name: 'resnet20' });
}

/**
 * A network of QuickNet's form (Bannink et al. 2021, `larq_zoo.sota.QuickNet`): a stem of reals with a depthwise convolution, four
 * stages of binary convolutions, pools and convolutions of single pixels between them.
 */
export function quicknet(options: QuickNetOptions): Model {
  const { input, classes, filters = 64, blocks = 4 } = told('quicknet', options, 'filters', 'blocks');
  const image = inputNode(input);
  const strides = Math.min(input[0] ?? 0, input[1] ?? 0) >= LARGE ? 2 : 1;
  const same = { kernelSize: 3, padding: 'same' } as const;
  let x = through(
    image,
    conv2d({ name: 'conv1', filters: Math.max(1, Math.ceil(filters / 4)), strides, ...same }),
    batchNormalization({ name: 'norm1' }),
    relu({ name: 'relu1' }),
    quantDepthwiseConv2d({ name: 'depthwise1', strides, ...same }),
    batchNormalization({ name: 'depthwise1Norm' }),
    conv2d({ name: 'pixels1', filters, kernelSize: 1 }),
    batchNormalization({ name: 'pixels1Norm' }),
  );
  for (let stage = 0; stage < 4; stage++) {
    const own = filters * 2 ** stage;
    if (stage > 0) {
      x = through(
        x,
        relu({ name: `relu${stage + 1}` }),
        maxPool2d({ name: `pool${stage + 1}`, poolSize: 3, strides: 2, padding: 'same' }),
        conv2d({ name: `pixels${stage + 1}`, filters: own, kernelSize: 1 }),
        batchNormalization({ name: `pixels${stage + 1}Norm` }),
      );
    }
    for (let i = 0; i < blocks; i++) x = block(x, `conv${stage + 2}_${i + 1}`, own, 1);
  }
  return model({ input: image, output: head(apply(relu({ name: 'relu5' }), x), classes), name: 'quicknet' });
}
