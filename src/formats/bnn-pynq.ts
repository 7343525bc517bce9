/**
 * Networks of BNN-PYNQ (github.com/Xilinx/BNN-PYNQ), the parameter folders of its FPGA accelerators: one file of weights
 * and one of thresholds for every layer and processing element, and the names of the classes. The files don't say their
 * shapes; those are the two published topologies' with one bit a weight and an activation:
 *
 * - CNV (`cnvW1A1`: CIFAR-10, SVHN, road signs): 3×3 convolutions 64-64-P-128-128-P-256-256, dense 512-512-64
 * - LFC (`lfcW1A1`: MNIST, letters): dense 1024-1024-1024-64 on a binarized 28×28 image
 *
 * Layout: `{layer}-{element}-weights.bin` holds little-endian u64 words of SIMD synapses each, least significant first,
 * 1 for +1; word fold·(fan-in/SIMD) + i holds synapses i·SIMD and up of neuron fold·PE + element. Synapses of a
 * convolution count ky, kx, channel, the channel fastest. `{layer}-{element}-thres.bin` holds an i64 for each fold.
 */
import { FormatError, ShapeError } from '../errors.ts';
import { type Model, type ParameterValues, sequential } from '../graph/index.ts';
import {
  affine,
  flatten,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDense,
  threshold,
} from '../layers/index.ts';

/** A classifier that others trained. */
export interface BnnPynqNetwork {
  readonly topology: 'CNV' | 'LFC';
  readonly model: Model;
  readonly values: ParameterValues;
  /** Names of the outputs; LFC may have outputs without a name. */
  readonly classes: readonly string[];
  /**
   * Bytes of images to what the model takes, as BNN-PYNQ does it: CNV takes integers from −128 to 127, LFC signs.
   * @param pixels u8 [count, height, width, channels]
   * @returns f32 of the same shape
   * @throws ShapeError unless the images are whole
   */
  prepare(pixels: Uint8Array): Float32Array<ArrayBuffer>;
}

/** Where the words of a layer are. */
interface Fold {
  readonly outputs: number;
  readonly fanIn: number;
  /** Synapses in a word. */
  readonly simd: number;
  /** Neurons computed at once: files of a layer. */
  readonly pe: number;
}

const CNV: readonly Fold[] = [
  { outputs: 64, fanIn: 27, simd: 3, pe: 16 },
  { outputs: 64, fanIn: 576, simd: 32, pe: 32 },
  { outputs: 128, fanIn: 576, simd: 32, pe: 16 },
  { outputs: 128, fanIn: 1152, simd: 32, pe: 16 },
  { outputs: 256, fanIn: 1152, simd: 32, pe: 4 },
  { outputs: 256, fanIn: 2304, simd: 32, pe: 1 },
  { outputs: 512, fanIn: 256, simd: 4, pe: 1 },
  { outputs: 512, fanIn: 512, simd: 8, pe: 1 },
  { outputs: 64, fanIn: 512, simd: 1, pe: 4 },
];

const LFC: readonly Fold[] = [
  { outputs: 1024, fanIn: 832, simd: 64, pe: 32 },
  { outputs: 1024, fanIn: 1024, simd: 32, pe: 64 },
  { outputs: 1024, fanIn: 1024, simd: 64, pe: 32 },
  { outputs: 64, fanIn: 1024, simd: 8, pe: 16 },
];

const LFC_PIXELS = 28 * 28;
/** Thresholds beyond any popcount mean "always" and "never"; f32 holds what is made of these. */
const BEYOND = 2 ** 20;
const BINARY = { kernelQuantizer: 'steSign' } as const;
const FULLY_BINARY = { ...BINARY, inputQuantizer: 'steSign' } as const;

/**
 * Reads a parameter folder.
 * @param files contents by name; folders in the names are ignored
 * @throws FormatError for a file that is missing or has another length than its topology gives it
 */
export function readBnnPynq(files: ReadonlyMap<string, Uint8Array>): BnnPynqNetwork {
  const folder = new Map([...files].map(([name, bytes]) => [name.slice(name.lastIndexOf('/') + 1), bytes]));
  const classes = readClasses(folder);
  const layers = new Set([...folder.keys()].map((name) => /^(\d+)-\d+-weights\.bin$/.exec(name)?.[1]));
  if (layers.has(`${CNV.length - 1}`)) return readCnv(folder, classes);
  if (layers.has(`${LFC.length - 1}`)) return readLfc(folder, classes);
  throw new FormatError('These files are no BNN-PYNQ network.', {
    given: [...folder.keys()].slice(0, 5).join(', ') || 'no file',
    expected: '0-0-weights.bin and so on, for the 9 layers of CNV or the 4 of LFC',
    where: 'readBnnPynq',
  });
}

function readCnv(folder: Folder, classes: readonly string[]): BnnPynqNetwork {
  const layers: Layer[] = [];
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  CNV.forEach((fold, index) => {
    const isLast = index === CNV.length - 1;
    const isConvolution = index < 6;
    const name = `${isConvolution ? 'conv' : 'dense'}${index}`;
    const units = isLast ? classes.length : fold.outputs;
    const weights = readWeights(folder, index, fold, { mayBeShort: isLast });
    values.set(`${name}/kernel`, weights.subarray(0, units * fold.fanIn));
    if (index === 6) layers.push(flatten());
    layers.push(
      isConvolution
        ? quantConv2d({ name, filters: units, kernelSize: 3, ...(index === 0 ? BINARY : FULLY_BINARY) })
        : quantDense({ name, units, ...FULLY_BINARY }),
    );
    // The accelerator pools bits after the threshold; a threshold is monotonic, so pooling sums gives the same bits.
    if (index === 1 || index === 3) layers.push(maxPool2d({ poolSize: 2 }));
    if (isLast) {
      // Its scores are popcounts: (sum + fan-in) / 2.
      layers.push(affine({ name: 'scores' }));
      values.set('scores/scale', new Float32Array(units).fill(0.5));
      values.set('scores/shift', new Float32Array(units).fill(fold.fanIn / 2));
      return;
    }
    // Layer 0 adds integers and fires where 2·sum > T, the others where the popcount (sum + fan-in)/2 > T.
    const atLeast = (t: number) => (index === 0 ? Math.floor(t / 2) + 1 : 2 * t - fold.fanIn + 2);
    addThreshold(layers, values, `threshold${index}`, readThresholds(folder, index, fold).map(atLeast));
  });
  return {
    topology: 'CNV',
    model: sequential(layers, { input: [32, 32, 3], name: 'BNN-PYNQ CNV' }),
    values,
    classes,
    prepare: preparer(32 * 32 * 3, (x) =>
      Math.max(-128, Math.min(127, Math.floor(((2 * x) / 255 - 1) * 128 + 0.5))),
    ),
  };
}

function readLfc(folder: Folder, classes: readonly string[]): BnnPynqNetwork {
  const layers: Layer[] = [flatten()];
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  LFC.forEach((fold, index) => {
    const isLast = index === LFC.length - 1;
    const name = `dense${index}`;
    let weights = readWeights(folder, index, fold);
    let thresholds = readThresholds(folder, index, fold);
    let { fanIn } = fold;
    if (index === 0) {
      // The image is padded with zeros (−1); where a padding weight is −1 too, it counts.
      const all = weights;
      thresholds = thresholds.map((t, neuron) => {
        const padding = all.subarray(neuron * fold.fanIn + LFC_PIXELS, (neuron + 1) * fold.fanIn);
        return t - padding.filter((weight) => weight < 0).length;
      });
      weights = new Float32Array(fold.outputs * LFC_PIXELS);
      for (let neuron = 0; neuron < fold.outputs; neuron++) {
        const row = all.subarray(neuron * fold.fanIn, neuron * fold.fanIn + LFC_PIXELS);
        weights.set(row, neuron * LFC_PIXELS);
      }
      fanIn = LFC_PIXELS;
    }
    // Units past the classes exist for alignment only: they can't fire. If one could, it would stay.
    const last = thresholds.findLastIndex((t) => t < fanIn);
    const units = isLast ? Math.max(classes.length, last + 1) : fold.outputs;
    values.set(`${name}/kernel`, weights.subarray(0, units * fanIn));
    layers.push(quantDense({ name, units, ...FULLY_BINARY }));
    const limits = thresholds.slice(0, units).map((t) => 2 * t - fanIn + 2);
    addThreshold(layers, values, `threshold${index}`, limits);
    if (!isLast) return;
    // The label is the highest bit that is set, and 0 if none is: the largest of ±1, ±2, ±3, ...
    layers.push(affine({ name: 'scores' }));
    values.set(
      'scores/scale',
      Float32Array.from({ length: units }, (_, unit) => unit + 1),
    );
    values.set('scores/shift', new Float32Array(units));
  });
  return {
    topology: 'LFC',
    model: sequential(layers, { input: [28, 28, 1], name: 'BNN-PYNQ LFC' }),
    values,
    classes,
    prepare: preparer(LFC_PIXELS, (x) => ((2 * x) / 255 - 1 >= 0 ? 1 : -1)),
  };
}

type Folder = ReadonlyMap<string, Uint8Array>;

function addThreshold(
  layers: Layer[],
  values: Map<string, Float32Array<ArrayBuffer>>,
  name: string,
  limits: readonly number[],
): void {
  layers.push(threshold({ name }));
  values.set(`${name}/direction`, new Float32Array(limits.length).fill(1));
  values.set(`${name}/threshold`, Float32Array.from(limits));
}

function preparer(
  size: number,
  convert: (byte: number) => number,
): (pixels: Uint8Array) => Float32Array<ArrayBuffer> {
  const table = Float32Array.from({ length: 256 }, (_, byte) => convert(byte));
  return (pixels) => {
    if (pixels.length === 0 || pixels.length % size !== 0) {
      throw new ShapeError('The images are not whole.', {
        given: `${pixels.length} bytes`,
        expected: `a multiple of ${size}`,
      });
    }
    return Float32Array.from(pixels, (byte) => table[byte] ?? 0);
  };
}

/** @returns ±1, [outputs, fanIn] */
function readWeights(
  folder: Folder,
  layer: number,
  { outputs, fanIn, simd, pe }: Fold,
  { mayBeShort = false } = {},
): Float32Array<ArrayBuffer> {
  const words = fanIn / simd;
  const weights = new Float32Array(outputs * fanIn);
  for (let element = 0; element < pe; element++) {
    const file = fileView(folder, `${layer}-${element}-weights.bin`, (outputs / pe) * words, mayBeShort);
    for (let neuron = element, at = 0; neuron < outputs; neuron += pe) {
      for (let synapse = 0; synapse < fanIn; synapse += simd, at += 8) {
        const isMissing = at >= file.byteLength;
        const low = isMissing ? 0 : file.getUint32(at, true);
        const high = isMissing ? 0 : file.getUint32(at + 4, true);
        for (let bit = 0; bit < simd; bit++) {
          const isPlus = (((bit < 32 ? low : high) >>> (bit & 31)) & 1) === 1;
          weights[neuron * fanIn + synapse + bit] = isPlus ? 1 : -1;
        }
      }
    }
  }
  return weights;
}

/** @returns one for each neuron, within ±BEYOND */
function readThresholds(folder: Folder, layer: number, { outputs, pe }: Fold): number[] {
  const thresholds = new Array<number>(outputs).fill(0);
  for (let element = 0; element < pe; element++) {
    const file = fileView(folder, `${layer}-${element}-thres.bin`, outputs / pe);
    for (let neuron = element, at = 0; neuron < outputs; neuron += pe, at += 8) {
      thresholds[neuron] = Math.max(-BEYOND, Math.min(BEYOND, Number(file.getBigInt64(at, true))));
    }
  }
  return thresholds;
}

function readClasses(folder: Folder): string[] {
  const bytes = contentsOf(folder, 'classes.txt');
  const classes = new TextDecoder().decode(bytes.subarray(0, 4096)).trim().split(/\r?\n/);
  if (bytes.length > 4096 || classes.length > 64 || classes[0] === '') {
    throw new FormatError('The names of the classes are not right.', {
      given: `${classes.length} names, ${bytes.length} bytes`,
      expected: '1 to 64 lines',
      where: 'classes.txt',
    });
  }
  return classes.map((name) => name.trim());
}

function contentsOf(folder: Folder, name: string): Uint8Array {
  const bytes = folder.get(name);
  if (bytes === undefined) {
    throw new FormatError('A file of this BNN-PYNQ network is missing.', {
      given: `${folder.size} files`,
      expected: name,
      where: 'readBnnPynq',
    });
  }
  return bytes;
}

function fileView(folder: Folder, name: string, words: number, mayBeShort = false): DataView {
  const bytes = contentsOf(folder, name);
  const fits = mayBeShort ? bytes.length <= 8 * words && bytes.length % 8 === 0 : bytes.length === 8 * words;
  if (!fits) {
    throw new FormatError('A file of this BNN-PYNQ network has the wrong length.', {
      given: `${bytes.length} bytes`,
      expected: mayBeShort ? `at most ${8 * words}, whole words` : `${8 * words}`,
      where: name,
    });
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
