/**
 * Ready-made models of the papers, built from public layers only. Latent weights start uniform in [−½, ½]: an angle of 30°
 * to their signs, and room to move on both sides.
 */
import { type Model, sequential } from '../graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Initializer,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDense,
} from '../layers/index.ts';
import { type ModelOptions, told } from './options.ts';

const HALF: Initializer = { kind: 'uniform', limit: 0.5 };
const BINARY = { kernelQuantizer: 'steSign', kernelInitializer: HALF } as const;
const FULLY_BINARY = { ...BINARY, inputQuantizer: 'steSign' } as const;

/**
 * A multilayer perceptron: two binary hidden layers, real input to the first one, batch normalisation after each
 * (Hubara et al. 2016, with fewer units).
 * @example
 * ```ts
 * import { mlp } from 'webgpu-bnn';
 *
 * mlp({ input: [28, 28, 1], classes: 10, units: 256 });
 * ```
 */
export function mlp(options: ModelOptions & { readonly units?: number }): Model {
  const { input, classes, units = 512 } = told('mlp', options, 'units');
  return sequential(
    [
      flatten(),
      quantDense({ name: 'dense1', units, ...BINARY }),
      batchNormalization({ name: 'norm1' }),
      quantDense({ name: 'dense2', units, ...FULLY_BINARY }),
      batchNormalization({ name: 'norm2' }),
      quantDense({ name: 'dense3', units: classes, ...FULLY_BINARY }),
      batchNormalization({ name: 'norm3' }),
    ],
    { input, name: 'mlp' },
  );
}

/**
 * A small convolutional network for 28×28 images: convolutions 32-P-64-P-64, dense 64, classes (as Larq's tutorial).
 * @example
 * ```ts
 * import { cnn } from 'webgpu-bnn';
 *
 * cnn({ input: [28, 28, 1], classes: 10 });
 * ```
 */
export function cnn(options: ModelOptions): Model {
  const { input, classes } = told('cnn', options);
  const block = (number: number, filters: number, pool: boolean): Layer[] => [
    quantConv2d({
      name: `conv${number}`,
      filters,
      kernelSize: 3,
      ...(number === 1 ? BINARY : FULLY_BINARY),
    }),
    ...(pool ? [maxPool2d({ poolSize: 2 })] : []),
    batchNormalization({ name: `norm${number}` }),
  ];
  return sequential(
    [
      ...block(1, 32, true),
      ...block(2, 64, true),
      ...block(3, 64, false),
      flatten(),
      quantDense({ name: 'dense4', units: 64, ...FULLY_BINARY }),
      batchNormalization({ name: 'norm4' }),
      quantDense({ name: 'dense5', units: classes, ...FULLY_BINARY }),
      batchNormalization({ name: 'norm5' }),
    ],
    { input, name: 'cnn' },
  );
}

/**
 * The network of Anderson & Berg (2018) and Hubara et al. (2016): 3×3 convolutions 128-128-P-256-256-P-512-512-P with
 * exact zero padding, dense 1024-1024-classes; convolution, pool, batch normalisation without γ, sign.
 * @example
 * ```ts
 * import { binarynet } from 'webgpu-bnn';
 *
 * binarynet({ input: [32, 32, 3], classes: 10 });
 * ```
 */
export function binarynet(options: ModelOptions): Model {
  const { input, classes } = told('binarynet', options);
  const latent: Initializer = { kind: 'uniform', limit: 1 };
  const weights = { kernelQuantizer: 'steSign', kernelInitializer: latent } as const;
  const signs = { inputQuantizer: 'steSign' } as const;
  const norm = (name: string) => batchNormalization({ name, scale: false, momentum: 0.9, epsilon: 1e-4 });
  const layers = [128, 128, 256, 256, 512, 512].flatMap((filters, index): Layer[] => {
    const number = index + 1;
    return [
      quantConv2d({
        name: `conv${number}`,
        filters,
        kernelSize: 3,
        padding: 'same',
        ...weights,
        ...(index === 0 ? {} : signs),
      }),
      ...(number % 2 === 0 ? [maxPool2d({ poolSize: 2 })] : []),
      norm(`norm${number}`),
    ];
  });
  const dense = [1024, 1024, classes].flatMap((units, index): Layer[] => [
    quantDense({ name: `dense${index + 7}`, units, ...weights, ...signs }),
    norm(`norm${index + 7}`),
  ]);
  return sequential([...layers, flatten(), ...dense], { input, name: 'binarynet' });
}
