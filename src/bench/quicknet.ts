/** A network of QuickNet's form (Bannink et al. 2021, `larq_zoo.sota.QuickNet`), and the same of floats. */
import { apply, type GraphNode, input, type Model, model } from '../graph/index.ts';
import {
  add,
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

/** Filters of the four stages; each has four binary convolutions, with a connection past every one of them. */
const STAGES = [64, 128, 256, 512] as const;
const BLOCKS = 4;

/**
 * Stem: two strided convolutions of reals, the second depthwise. Between stages: pooling and a convolution of single pixels.
 * @param kind `float`: convolutions of reals after a ReLU in place of those of signs
 */
export function quickNet(kind: 'binary' | 'float'): Model {
  const image = input([224, 224, 3]);
  const through = (start: GraphNode, ...layers: Layer[]) =>
    layers.reduce((node, layer) => apply(layer, node), start);
  const norm = () => batchNormalization();
  let x = through(
    image,
    conv2d({ filters: 16, kernelSize: 3, strides: 2, padding: 'same' }),
    norm(),
    relu(),
    quantDepthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same' }),
    norm(),
    conv2d({ filters: STAGES[0], kernelSize: 1 }),
    norm(),
  );
  STAGES.forEach((filters, stage) => {
    if (stage > 0) {
      x = through(
        x,
        relu(),
        maxPool2d({ poolSize: 3, strides: 2, padding: 'same' }),
        conv2d({ filters, kernelSize: 1 }),
        norm(),
      );
    }
    for (let block = 0; block < BLOCKS; block++) {
      const shape = { filters, kernelSize: 3, padding: 'same' } as const;
      const product =
        kind === 'binary'
          ? [quantConv2d({ ...shape, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' })]
          : [relu(), conv2d(shape)];
      x = apply(add(), through(x, ...product, norm()), x);
    }
  });
  const output = through(x, relu(), globalAveragePool2d(), dense({ units: 1000, useBias: true }));
  return model({ input: image, output, name: kind === 'binary' ? 'QuickNet' : 'QuickNet of floats' });
}
