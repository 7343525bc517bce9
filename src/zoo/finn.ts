/**
 * The networks of FINN (Umuroglu et al. 2017, arXiv 1612.07119) and of its trainer Brevitas: what its FPGA accelerators run.
 * They differ from this library's other models in what hardware can say:
 *
 * - `sfc`, `lfc`, `tfc` binarize the image too: the first layer reads one bit a pixel, byte ≥ 128
 * - `cnv` reads pixels as the integers −128 to 127
 * - the last normalisation has one scale and one shift for all classes, so that the label is the largest count
 * - `cnv` takes signs before it pools, which is an OR of bits
 *
 * Their recipe: squared hinge, Adam, a rate of .02 that is halved every 40 epochs, without decay of weights:
 * `webgpu-bnn train --model tfc --lr 0.02 --lr-halve-every 40 --epochs 1000`. Trained so, 3×64 units reach 93.17 % of MNIST,
 * 3×256 97.81 %, and cnv 84.22 % of CIFAR-10, by Brevitas' own figures. `encodeBnnPynq` writes what was trained.
 */
import { type Model, sequential } from '../graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDense,
  quantize,
  reshape,
  sign,
} from '../layers/index.ts';
import { type ModelOptions, told } from './options.ts';

const BINARY = { kernelQuantizer: 'steSign', kernelInitializer: { kind: 'uniform', limit: 0.5 } } as const;
const FULLY_BINARY = { ...BINARY, inputQuantizer: 'steSign' } as const;

/** FINN's tiny fully connected network: three hidden layers of 64 units on one bit a pixel; 59,008 weights for 28×28. */
export function tfc(options: ModelOptions): Model {
  return fullyConnected('tfc', 64, options);
}

/** FINN's small fully connected network: three hidden layers of 256 units on one bit a pixel; 334,336 weights for 28×28. */
export function sfc(options: ModelOptions): Model {
  return fullyConnected('sfc', 256, options);
}

/** FINN's large fully connected network: three hidden layers of 1024 units on one bit a pixel; 2,910,208 weights for 28×28. */
export function lfc(options: ModelOptions): Model {
  return fullyConnected('lfc', 1024, options);
}

/**
 * FINN's convolutional network, which is BinaryNet with half the filters and without padding: 3×3 convolutions
 * 64-64-P-128-128-P-256-256, dense 512-512-classes; 1,542,848 weights for 32×32×3 and ten classes. Pixels in [−1, 1] become
 * the integers −128 to 127.
 */
export function cnv(options: ModelOptions): Model {
  const { input, classes } = told('cnv', options);
  const convolutions = [64, 64, 128, 128, 256, 256].flatMap((filters, index): Layer[] => [
    quantConv2d({
      name: `conv${index + 1}`,
      filters,
      kernelSize: 3,
      ...(index === 0 ? { ...BINARY, inputIntegers: 'int8' } : FULLY_BINARY),
    }),
    batchNormalization({ name: `norm${index + 1}` }),
    ...(index === 1 || index === 3 ? [sign(), maxPool2d({ poolSize: 2 })] : []),
  ]);
  const dense = [512, 512].flatMap((units, index): Layer[] => [
    quantDense({ name: `dense${index + 7}`, units, ...FULLY_BINARY }),
    batchNormalization({ name: `norm${index + 7}` }),
  ]);
  return sequential(
    [
      quantize({ name: 'pixels', bits: 8, scale: 1 / 128, output: 'integers' }),
      ...convolutions,
      flatten(),
      ...dense,
      ...lastLayer(9, classes),
    ],
    { input, name: 'cnv' },
  );
}

function fullyConnected(name: string, units: number, options: ModelOptions): Model {
  const { input, classes } = told(name, options);
  const hidden = [1, 2, 3].flatMap((number): Layer[] => [
    quantDense({ name: `dense${number}`, units, ...FULLY_BINARY }),
    batchNormalization({ name: `norm${number}` }),
  ]);
  return sequential([flatten(), ...hidden, ...lastLayer(4, classes)], { input, name });
}

/** One scale and one shift for all classes (Brevitas' `TensorNorm`): the classes are positions of a single channel. */
function lastLayer(number: number, classes: number): Layer[] {
  return [
    quantDense({ name: `dense${number}`, units: classes, ...FULLY_BINARY }),
    reshape({ shape: [classes, 1] }),
    batchNormalization({ name: `norm${number}` }),
    flatten({ name: 'scores' }),
  ];
}
