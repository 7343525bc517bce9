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
import { type BytesLike, plainBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { type Shape, sizeOf, wordsFor } from '../gpu/index.ts';
import { type Model, type PackedSigns, type ParameterValue, sequential } from '../graph/index.ts';
import {
  affine,
  flatten,
  type Layer,
  maxPool2d,
  quantConv2d,
  quantDense,
  threshold,
} from '../layers/index.ts';
import { encodePixels, type PixelEncoding } from './pixels.ts';

/** A classifier that others trained. */
export interface BnnPynqNetwork {
  readonly topology: 'CNV' | 'LFC';
  readonly model: Model;
  /** Weights are packed signs. */
  readonly values: ReadonlyMap<string, ParameterValue>;
  /** Names of the outputs; LFC may have outputs without a name. */
  readonly classes: readonly string[];
  /** What `prepare` does: CNV takes integers from −128 to 127, LFC signs. */
  readonly pixels: PixelEncoding;
  /**
   * Bytes of images to what the model takes, as BNN-PYNQ does it.
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
/** clamp(⌊(2x/255 − 1)·128 + ½⌋, −128, 127): no byte comes near a half, so the order of the arithmetic is free. */
const CNV_ENCODING: PixelEncoding = {
  scale: [256 / 255],
  shift: [-128],
  round: true,
  minimum: -128,
  maximum: 127,
};
/** +1 where 2x/255 − 1 ≥ 0, else −1: 2x − 255 is odd. */
const LFC_ENCODING: PixelEncoding = { scale: [2], shift: [-255], minimum: -1, maximum: 1 };
/** Thresholds beyond any popcount mean "always" and "never"; f32 holds what is made of these. */
const BEYOND = 2 ** 20;
const TOPOLOGIES = { CNV, LFC } as const;
const BINARY = { kernelQuantizer: 'steSign' } as const;
/** The first layer of CNV. */
const INTEGERS = { ...BINARY, inputIntegers: 'int8' } as const;
const FULLY_BINARY = { ...BINARY, inputQuantizer: 'steSign' } as const;

/**
 * Reads a parameter folder.
 * @param files contents by name; folders in the names are ignored
 * @throws FormatError for a file that is missing or has another length than its topology gives it
 */
export function readBnnPynq(files: ReadonlyMap<string, BytesLike>): BnnPynqNetwork {
  const folder = new Map(
    [...files].map(([name, bytes]) => [name.slice(name.lastIndexOf('/') + 1), plainBytes(bytes, name)]),
  );
  const topology = (['CNV', 'LFC'] as const).find((name) => hasLastLayer(folder, TOPOLOGIES[name]));
  if (topology === undefined) {
    throw new FormatError('These files are no BNN-PYNQ network.', {
      given: [...folder.keys()].slice(0, 5).join(', ') || 'no file',
      expected: '0-0-weights.bin and so on, for the 9 layers of CNV or the 4 of LFC',
      where: 'readBnnPynq',
    });
  }
  const classes = readClasses(folder);
  // Every length is checked before anything is decoded.
  for (const { name, bytes, mayBeShort } of filesOf(topology)) assertLength(folder, name, bytes, mayBeShort);
  return topology === 'CNV' ? readCnv(folder, classes) : readLfc(folder, classes);
}

/** The names of a network's files, e.g. to make a list of URLs. */
export function bnnPynqFiles(topology: BnnPynqNetwork['topology']): string[] {
  return ['classes.txt', ...filesOf(topology).map(({ name }) => name)];
}

interface ExpectedFile {
  readonly name: string;
  readonly bytes: number;
  /** The end may be missing and is zeros. */
  readonly mayBeShort: boolean;
}

const FILES = new Map<string, readonly ExpectedFile[]>();

/** The files of a topology but for the names of the classes; made once. */
function filesOf(topology: BnnPynqNetwork['topology']): readonly ExpectedFile[] {
  const known = FILES.get(topology);
  if (known !== undefined) return known;
  const folds = TOPOLOGIES[topology];
  const files = folds.flatMap(({ outputs, fanIn, simd, pe }, layer) => {
    const isLastOfCnv = topology === 'CNV' && layer === folds.length - 1;
    const elements = Array.from({ length: pe }, (_, element) => `${layer}-${element}`);
    const weights = elements.map((name) => ({
      name: `${name}-weights.bin`,
      bytes: 8 * (outputs / pe) * (fanIn / simd),
      mayBeShort: isLastOfCnv,
    }));
    // The scores of CNV's last layer are compared with nothing.
    if (isLastOfCnv) return weights;
    const thresholds = elements.map((name) => ({
      name: `${name}-thres.bin`,
      bytes: 8 * (outputs / pe),
      mayBeShort: false,
    }));
    return [...weights, ...thresholds];
  });
  FILES.set(topology, files);
  return files;
}

function hasLastLayer(folder: Folder, folds: readonly Fold[]): boolean {
  const last = folds.length - 1;
  const elements = Array.from({ length: folds[last]?.pe ?? 0 }, (_, element) => element);
  return elements.some((element) => folder.has(`${last}-${element}-weights.bin`));
}

function readCnv(folder: Folder, classes: readonly string[]): BnnPynqNetwork {
  const layers: Layer[] = [];
  const values = new Map<string, ParameterValue>();
  CNV.forEach((fold, index) => {
    const isLast = index === CNV.length - 1;
    const isConvolution = index < 6;
    const name = `${isConvolution ? 'conv' : 'dense'}${index}`;
    const units = isLast ? classes.length : fold.outputs;
    const shape = isConvolution ? [units, 3, 3, fold.fanIn / 9] : [units, fold.fanIn];
    values.set(`${name}/kernel`, readWeights(folder, index, fold, shape));
    if (index === 6) layers.push(flatten());
    layers.push(
      isConvolution
        ? quantConv2d({ name, filters: units, kernelSize: 3, ...(index === 0 ? INTEGERS : FULLY_BINARY) })
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
    pixels: CNV_ENCODING,
    prepare: (pixels) => encodePixels(pixels, [32, 32, 3], CNV_ENCODING),
  };
}

function readLfc(folder: Folder, classes: readonly string[]): BnnPynqNetwork {
  const layers: Layer[] = [flatten()];
  const values = new Map<string, ParameterValue>();
  LFC.forEach((fold, index) => {
    const isLast = index === LFC.length - 1;
    const name = `dense${index}`;
    let thresholds = readThresholds(folder, index, fold);
    const fanIn = index === 0 ? LFC_PIXELS : fold.fanIn;
    if (index === 0) {
      // The image is padded with zeros (−1); where a padding weight is −1 too, it counts.
      const paddings = countMinuses(readWeights(folder, index, fold, [fold.outputs, fold.fanIn]), LFC_PIXELS);
      thresholds = thresholds.map((t, neuron) => t - (paddings[neuron] ?? 0));
    }
    // Units past the classes exist for alignment only: they can't fire. If one could, it would stay.
    const last = thresholds.findLastIndex((t) => t < fanIn);
    const units = isLast ? Math.max(classes.length, last + 1) : fold.outputs;
    values.set(`${name}/kernel`, readWeights(folder, index, fold, [units, fanIn]));
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
    pixels: LFC_ENCODING,
    prepare: (pixels) => encodePixels(pixels, [28, 28, 1], LFC_ENCODING),
  };
}

type Folder = ReadonlyMap<string, Uint8Array>;

function addThreshold(
  layers: Layer[],
  values: Map<string, ParameterValue>,
  name: string,
  limits: readonly number[],
): void {
  layers.push(threshold({ name }));
  values.set(`${name}/direction`, new Float32Array(limits.length).fill(1));
  values.set(`${name}/threshold`, Float32Array.from(limits));
}

/**
 * @param shape of the parameter, whose first axis counts neurons; neurons and synapses past it are left out
 * @returns the signs, packed as the library has them: its bit 1 is −1
 */
function readWeights(folder: Folder, layer: number, { fanIn, simd, pe }: Fold, shape: Shape): PackedSigns {
  const [units = 1] = shape;
  const channels = shape.at(-1) ?? 1;
  const rows = sizeOf(shape) / channels / units;
  const rowWords = wordsFor(channels);
  const words = new Uint32Array(units * rows * rowWords);
  // Dense rows may be longer in the file; a convolution's row is a pixel's channels.
  const stored = rows === 1 ? fanIn : channels;
  const mask = simd >= 32 ? 0xffff_ffff : 2 ** simd - 1;
  for (let neuron = 0; neuron < units; neuron++) {
    const file = viewOf(folder, `${layer}-${neuron % pe}-weights.bin`);
    let at = 8 * Math.floor(neuron / pe) * (fanIn / simd);
    for (let row = 0; row < fanIn / stored; row++) {
      const start = (neuron * rows + row) * rowWords;
      for (let synapse = 0; synapse < stored; synapse += simd, at += 8) {
        // Where the file ends early, the rest is zeros. A word never straddles two of ours.
        for (let half = 0; half < simd; half += 32) {
          const word = (synapse + half) >> 5;
          if (word >= rowWords) continue;
          const bits = at < file.byteLength ? file.getUint32(at + half / 8, true) : 0;
          words[start + word] = (words[start + word] ?? 0) | ((~bits & mask) << (synapse & 31));
        }
      }
      if (channels % 32 !== 0) {
        const last = start + rowWords - 1;
        words[last] = (words[last] ?? 0) & (2 ** (channels % 32) - 1);
      }
    }
  }
  return { words, shape };
}

/** How many signs of each row are −1 from synapse `first` on. */
function countMinuses({ words, shape }: PackedSigns, first: number): number[] {
  const [rows = 1, channels = 1] = shape;
  const rowWords = wordsFor(channels);
  return Array.from({ length: rows }, (_, row) => {
    let count = 0;
    for (let c = first; c < channels; c++) {
      count += ((words[row * rowWords + (c >> 5)] ?? 0) >>> (c & 31)) & 1;
    }
    return count;
  });
}

/** @returns one for each neuron, within ±BEYOND */
function readThresholds(folder: Folder, layer: number, { outputs, pe }: Fold): number[] {
  const thresholds = new Array<number>(outputs).fill(0);
  for (let element = 0; element < pe; element++) {
    const file = viewOf(folder, `${layer}-${element}-thres.bin`);
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

function assertLength(folder: Folder, name: string, expected: number, mayBeShort: boolean): void {
  const { length } = contentsOf(folder, name);
  if (mayBeShort ? length <= expected && length % 8 === 0 : length === expected) return;
  throw new FormatError('A file of this BNN-PYNQ network has the wrong length.', {
    given: `${length} bytes`,
    expected: mayBeShort ? `at most ${expected}, whole words` : `${expected}`,
    where: name,
  });
}

function viewOf(folder: Folder, name: string): DataView {
  const bytes = contentsOf(folder, name);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
