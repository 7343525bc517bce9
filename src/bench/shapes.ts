/** What the benchmark multiplies: the products by name, and how a caller picks among them. */
import { OptionError } from '../errors.ts';
import { type Shape, sizeOf } from '../gpu/index.ts';

export interface Product {
  /** By which it is asked for, as in `conv-14x14x256-b1`. */
  readonly id: string;
  readonly name: string;
  readonly kind: 'matmul' | 'conv';
  /** [M, K], or [N, H, W, C]. */
  readonly a: Shape;
  /** [N, K], or [O, 3, 3, C]; a convolution is padded to the size of its input. */
  readonly w: Shape;
  /** What a convolution is padded with. */
  readonly padValue: 0 | 1;
  /** Multiply-accumulates of one run. */
  readonly macs: number;
  /** A software adapter would take minutes: it is run there only when it is asked for. */
  readonly large: boolean;
}

/** Multiply-accumulates from which a product is left to hardware. */
const LARGE = 1.5e9;

export function matMulProduct(m: number, k: number, n: number): Product {
  const macs = m * k * n;
  return {
    id: `matmul-${m}x${k}x${n}`,
    name: `matmul ${m} x ${k} x ${n}`,
    kind: 'matmul',
    a: [m, k],
    w: [n, k],
    padValue: 0,
    macs,
    large: macs > LARGE,
  };
}

export function convProduct(
  size: number,
  inputs: number,
  outputs: number,
  batch: number,
  padValue: 0 | 1 = 0,
): Product {
  const same = inputs === outputs;
  return {
    id: `conv-${size}x${size}x${inputs}${same ? '' : `to${outputs}`}-b${batch}${padValue === 1 ? '-pad1' : ''}`,
    name: `conv 3x3 ${size} x ${size} x ${same ? inputs : `${inputs} to ${outputs}`}, batch ${batch}${
      padValue === 1 ? ', padded with +1' : ''
    }`,
    kind: 'conv',
    a: [batch, size, size, inputs],
    w: [outputs, 3, 3, inputs],
    padValue,
    macs: batch * size * size * inputs * outputs * 9,
    large: false,
  };
}

/** [height, channels] of the four stages of a residual network. */
const STAGES = [
  [56, 64],
  [28, 128],
  [14, 256],
  [7, 512],
] as const;

/** The four 3×3 convolutions of a residual network. */
export function residualConvolutions(batch: number): Product[] {
  return STAGES.map(([size, channels]) => convProduct(size, channels, channels, batch));
}

/**
 * The binary convolutions of QuickNet (Bannink et al. 2021, `larq_zoo.sota.QuickNet`): four to a stage, padded with +1.
 * The default batch is an image, as on a phone.
 */
export function quickNetLayers(batch = 1): Product[] {
  return STAGES.map(([size, channels]) => convProduct(size, channels, channels, batch, 1));
}

export function matMuls(): Product[] {
  return [
    matMulProduct(100, 512, 512),
    matMulProduct(512, 512, 512),
    matMulProduct(512, 1024, 512),
    matMulProduct(1024, 1024, 1024),
    matMulProduct(2048, 2048, 2048),
    matMulProduct(4096, 784, 4096),
    matMulProduct(4096, 4096, 4096),
    matMulProduct(8192, 8192, 8192),
  ];
}

/** The products of signs in `binarynet`: five convolutions after the first, and the first dense layer. */
export function binarynetLayers(batch: number): Product[] {
  return [
    convProduct(32, 128, 128, batch),
    convProduct(16, 128, 256, batch),
    convProduct(16, 256, 256, batch),
    convProduct(8, 256, 512, batch),
    convProduct(8, 512, 512, batch),
    matMulProduct(batch, 8192, 1024),
  ];
}

/**
 * What of a list was asked for: names, in which `*` stands for any letters.
 * @returns undefined when nothing was asked for
 * @throws OptionError for a name that fits nothing, listing what there is
 */
export function pick(patterns: readonly string[] | undefined, ids: readonly string[]): string[] | undefined {
  if (patterns === undefined) return undefined;
  const picked = new Set<string>();
  for (const pattern of patterns) {
    const letters = pattern.split('*').map((part) => part.replace(/[^\w]/g, '\\$&'));
    const expression = new RegExp(`^${letters.join('.*')}$`);
    const fits = ids.filter((id) => expression.test(id));
    if (fits.length === 0) {
      throw new OptionError('The benchmark has no shape of this name in these suites.', {
        given: pattern,
        expected: [...new Set(ids)].join(', '),
        where: '--shapes',
        remedy: 'name one of these, or several with *, as in conv-*-b1',
      });
    }
    for (const id of fits) picked.add(id);
  }
  return [...picked];
}

/** Signs that look random and are the same in every run. */
export function signs(shape: Shape, salt: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = Math.imul(i + salt, 2654435761) & 0x10000 ? 1 : -1;
  return values;
}

/** Small whole numbers from −3 to 3, of which long sums are exact in f32. */
export function wholeNumbers(shape: Shape, salt: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = ((Math.imul(i + salt, 2654435761) >>> 16) % 7) - 3;
  return values;
}

export const SALT = { a: 1, w: 7, g: 13 } as const;
