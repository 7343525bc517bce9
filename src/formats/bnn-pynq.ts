/**
 * Networks of BNN-PYNQ (github.com/Xilinx/BNN-PYNQ), the parameter folders of its FPGA accelerators: one file of weights
 * and one of thresholds for every layer and processing element, and the names of the classes. The files don't say their
 * shapes; they follow from the topology, with one bit a weight and an activation:
 *
 * - CNV (`cnvW1A1`: CIFAR-10, SVHN, road signs): 3×3 convolutions 64-64-P-128-128-P-256-256, dense 512-512-64
 * - LFC (`lfcW1A1`: MNIST, letters): dense 1024-1024-1024-64 on a binarized 28×28 image; layers of other widths, and more or
 *   fewer of them, follow from the lengths of the files
 *
 * Layout: `{layer}-{element}-weights.bin` holds little-endian u64 words of SIMD synapses each, least significant first,
 * 1 for +1; word fold·(fan-in/SIMD) + i holds synapses i·SIMD and up of neuron fold·PE + element. Synapses of a
 * convolution count ky, kx, channel, the channel fastest. `{layer}-{element}-thres.bin` holds an i64 for each fold.
 *
 * The last layer has 64 units, or as many as there are classes, rounded up to PE. Where it has thresholds, the label is the
 * highest unit that fires; units past the classes don't count. Where it has none, the label is the largest popcount.
 */
import { type Bytes, type BytesLike, plainBytes } from '../bytes.ts';
import { FormatError, listed } from '../errors.ts';
import { type Shape, sizeOf, wordsFor } from '../gpu/index.ts';
import { type Model, type PackedSigns, type ParameterValue, sequential } from '../graph/index.ts';
import { affine, flatten, type Layer, maxPool2d, threshold } from '../layers/index.ts';
import { quantConv2d, quantDense } from '../layers/plain.ts';
import { encodePixels, type PixelEncoding } from '../run/pixels.ts';
import {
  addressOf,
  BEYOND,
  CNV,
  CNV_ENCODING,
  CNV_IMAGE,
  type Fold,
  LFC,
  LFC_ENCODING,
  LFC_IMAGE,
  LFC_PIXELS,
  MOST_SYNAPSES,
  MOST_UNITS,
  type Topology,
  thresholdFile,
  weightFile,
} from './bnn-pynq-layout.ts';

/** A classifier that others trained. */
export interface BnnPynqNetwork {
  /** Which of the known networks it is. */
  readonly topology: Topology;
  /** Its layers, as this library runs them. */
  readonly model: Model;
  /** Weights are packed signs. */
  readonly values: ReadonlyMap<string, ParameterValue>;
  /** Names of the outputs. */
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

const BINARY = { kernelQuantizer: 'steSign' } as const;
/** The first layer of CNV. */
const INTEGERS = { ...BINARY, inputIntegers: 'int8' } as const;
const FULLY_BINARY = { ...BINARY, inputQuantizer: 'steSign' } as const;

/** Contents by name, without folders. */
type Folder = ReadonlyMap<string, Bytes>;

/** What the names and lengths of a layer's files say. */
interface StoredLayer {
  readonly layer: number;
  /** Files of each kind. */
  readonly pe: number;
  /** Words in a file of weights. */
  readonly words: number;
  /** Words in a file of thresholds; 0 where there is no such file. */
  readonly thresholds: number;
}

/**
 * Reads a parameter folder.
 * @param files contents by name; folders in the names are ignored
 * @throws FormatError for a file that is missing or has another length than its topology gives it, and for networks with
 *   more than one bit a weight or an activation
 */
export function readBnnPynq(files: ReadonlyMap<string, BytesLike>): BnnPynqNetwork {
  const folder: Folder = new Map(
    [...files].map(([name, bytes]) => [name.slice(name.lastIndexOf('/') + 1), plainBytes(bytes, name)]),
  );
  const layers = storedLayers(folder);
  const classes = readClasses(folder);
  // Every length is checked before anything is decoded.
  const isCnv = layers.length === CNV.length && layers.at(-1)?.thresholds === 0;
  return isCnv
    ? readCnv(folder, foldsOfCnv(layers), classes)
    : readLfc(folder, foldsOfLfc(layers, classes.length), classes, (layers.at(-1)?.thresholds ?? 0) > 0);
}

/** The names of a network's files, e.g. to make a list of URLs. */
export function bnnPynqFiles(topology: Topology): string[] {
  const folds = topology === 'CNV' ? CNV : LFC;
  const files = folds.flatMap(({ pe }, layer) => {
    const elements = Array.from({ length: pe }, (_, element) => element);
    const weights = elements.map((element) => weightFile(layer, element));
    // The scores of CNV's last layer are compared with nothing.
    if (topology === 'CNV' && layer === folds.length - 1) return weights;
    return [...weights, ...elements.map((element) => thresholdFile(layer, element))];
  });
  return ['classes.txt', ...files];
}

/**
 * The layers that there are files of, with the lengths of those.
 * @throws FormatError where a file is missing, or is longer or shorter than the others of its layer
 */
function storedLayers(folder: Folder): StoredLayer[] {
  const elements = new Map<number, number>();
  for (const name of folder.keys()) {
    const [, layer, element] = /^(\d{1,3})-(\d{1,5})-(?:weights|thres)\.bin$/.exec(name) ?? [];
    if (layer === undefined || element === undefined) continue;
    elements.set(Number(layer), Math.max(elements.get(Number(layer)) ?? 0, Number(element) + 1));
  }
  if (elements.size === 0 || !elements.has(elements.size - 1)) throw noNetwork(folder);
  return Array.from({ length: elements.size }, (_, layer) => {
    const pe = elements.get(layer) ?? 0;
    const isLast = layer === elements.size - 1;
    const names = Array.from({ length: pe }, (_, element) => thresholdFile(layer, element));
    // Only the last layer may do without thresholds.
    const hasThresholds = !isLast || names.some((name) => folder.has(name));
    const weights = Array.from({ length: pe }, (_, element) => weightFile(layer, element));
    const mayDiffer = isLast && !hasThresholds;
    return {
      layer,
      pe,
      words: wordsOf(folder, weights, mayDiffer),
      thresholds: hasThresholds ? wordsOf(folder, names, false) : 0,
    };
  });
}

/** Words in each of some files: the length that most of them have. @throws FormatError where one has another */
function wordsOf(folder: Folder, names: readonly string[], mayDiffer: boolean): number {
  const counts = new Map<number, number>();
  for (const name of names) {
    const { length } = contentsOf(folder, name);
    counts.set(length, (counts.get(length) ?? 0) + 1);
  }
  const byCount = [...counts].sort(([a, many], [b, few]) => few - many || b - a);
  const usual = mayDiffer ? Math.max(...counts.keys()) : (byCount[0]?.[0] ?? 0);
  for (const name of names) {
    const { length } = contentsOf(folder, name);
    const isRight = length % 8 === 0 && (mayDiffer || length === usual);
    if (!isRight)
      throw wrongLength(name, length, mayDiffer ? 'whole words of 8 bytes' : `${usual - (usual % 8)}`);
  }
  return usual / 8;
}

/** @throws FormatError unless the files are those of CNV, whose last layer's may be short */
function foldsOfCnv(layers: readonly StoredLayer[]): Fold[] {
  return CNV.map(({ outputs, fanIn }, index) => {
    const { layer, pe, words, thresholds } = layers[index] ?? {
      layer: index,
      pe: 0,
      words: 0,
      thresholds: 0,
    };
    if (index === CNV.length - 1) {
      const most = (outputs / pe) * fanIn;
      if (!(words <= most)) throw wrongLength(weightFile(layer, 0), 8 * words, `at most ${8 * most}`);
      return { outputs, fanIn, pe, simd: 1 };
    }
    if (pe * thresholds === 3 * outputs) {
      const usual = CNV.slice(0, -1).map((own) => (own.outputs * own.fanIn) / own.simd);
      throw twoBits(usual.every((count, i) => 2 * count === totalWords(layers[i])) ? 2 : 1);
    }
    if (pe * thresholds !== outputs) {
      throw wrongLength(
        thresholdFile(layer, 0),
        8 * thresholds,
        `${(8 * outputs) / pe}, for ${outputs} units`,
      );
    }
    const simd = (outputs * fanIn) / (pe * words);
    if (!isSynapses(simd)) {
      const { pe: published, simd: usual } = CNV[index] ?? { pe, simd: 1 };
      const expected = `${(8 * outputs * fanIn) / (pe * usual)}`;
      throw wrongLength(
        weightFile(layer, 0),
        8 * words,
        pe === published ? expected : `${outputs}·${fanIn} weights`,
      );
    }
    return { outputs, fanIn, pe, simd };
  });
}

/** The widths of dense layers, which follow from the lengths of their files. @throws FormatError where none do */
function foldsOfLfc(layers: readonly StoredLayer[], classes: number): Fold[] {
  const folds = chainOf(layers, classes);
  if (Array.isArray(folds)) return folds;
  // Of the last layer's sums nothing but a sign is wanted, whatever the others have.
  const withBits = (weightBits: number) =>
    layers.map((own, index) => ({
      ...own,
      words: own.words / weightBits,
      thresholds: own.thresholds / (index === layers.length - 1 ? 1 : 3),
    }));
  const weightBits = [1, 2].find((bits) => Array.isArray(chainOf(withBits(bits), classes)));
  if (weightBits !== undefined) throw twoBits(weightBits);
  throw folds;
}

function chainOf(layers: readonly StoredLayer[], classes: number): Fold[] | FormatError {
  const folds: Fold[] = [];
  for (const { layer, pe, words, thresholds } of layers) {
    const isLast = layer === layers.length - 1;
    const before = folds.at(-1)?.outputs ?? LFC_PIXELS;
    // The files of a layer without thresholds say its width only if a word holds one synapse, as CNV's do.
    const rows = thresholds > 0 ? thresholds : words / before;
    const [outputs, perRow] = [pe * rows, words / rows];
    const file = weightFile(layer, 0);
    if (!Number.isSafeInteger(outputs) || !Number.isSafeInteger(perRow) || outputs < 1) {
      return wrongLength(
        file,
        8 * words,
        `${Math.max(1, Math.floor(rows))} rows of words of ${before} synapses`,
      );
    }
    // The 784 pixels are padded with zeros to whole words of 64.
    const isPadded = layer === 0 && before % perRow !== 0 && perRow === Math.ceil(before / MOST_SYNAPSES);
    const simd = isPadded ? MOST_SYNAPSES : before / perRow;
    // Where everything else is the published LFC's, a word is, too: a file that lost its end must not pass for another fold.
    const published = LFC[layer];
    const isLfc =
      thresholds > 0 &&
      layers.length === LFC.length &&
      layers.every((own, i) => own.pe === LFC[i]?.pe) &&
      [...folds, { outputs }].every((own, i) => own.outputs === LFC[i]?.outputs || i === LFC.length - 1);
    if (!isSynapses(simd) || (isLfc && simd !== published?.simd)) {
      return wrongLength(
        file,
        8 * words,
        `${(8 * rows * before) / (published?.simd ?? 1)}, for ${outputs} units`,
      );
    }
    if (isLast && (outputs > MOST_UNITS || outputs < classes)) {
      return new FormatError('The last layer of this BNN-PYNQ network has not one unit for each class.', {
        given: `${outputs} units, ${classes} names in classes.txt`,
        expected: `${classes} to ${MOST_UNITS} units, in the last of the 9 layers of CNV, the 4 of LFC, or other dense ones`,
        where: file,
      });
    }
    folds.push({ outputs, fanIn: isPadded ? perRow * simd : before, simd, pe });
  }
  return folds;
}

function isSynapses(simd: number): boolean {
  return Number.isSafeInteger(simd) && simd >= 1 && simd <= MOST_SYNAPSES;
}

function readCnv(folder: Folder, folds: readonly Fold[], classes: readonly string[]): BnnPynqNetwork {
  const layers: Layer[] = [];
  const values = new Map<string, ParameterValue>();
  folds.forEach((fold, index) => {
    const isLast = index === folds.length - 1;
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
      addPopcounts(layers, values, units, fold.fanIn);
      return;
    }
    // Layer 0 adds integers and fires where 2·sum > T, the others where the popcount (sum + fan-in)/2 > T.
    const atLeast = (t: number) => (index === 0 ? Math.floor(t / 2) + 1 : 2 * t - fold.fanIn + 2);
    addThreshold(layers, values, `threshold${index}`, readThresholds(folder, index, fold).map(atLeast));
  });
  return {
    topology: 'CNV',
    model: sequential(layers, { input: CNV_IMAGE, name: 'BNN-PYNQ CNV' }),
    values,
    classes,
    pixels: CNV_ENCODING,
    prepare: (pixels) => encodePixels(pixels, CNV_IMAGE, CNV_ENCODING),
  };
}

function readLfc(
  folder: Folder,
  folds: readonly Fold[],
  classes: readonly string[],
  firesLast: boolean,
): BnnPynqNetwork {
  const layers: Layer[] = [flatten()];
  const values = new Map<string, ParameterValue>();
  folds.forEach((fold, index) => {
    const isLast = index === folds.length - 1;
    const name = `dense${index}`;
    const fanIn = index === 0 ? LFC_PIXELS : fold.fanIn;
    // Units past the classes exist for alignment only: their bits are masked.
    const units = isLast ? classes.length : fold.outputs;
    values.set(`${name}/kernel`, readWeights(folder, index, fold, [units, fanIn]));
    layers.push(quantDense({ name, units, ...FULLY_BINARY }));
    if (isLast && !firesLast) {
      addPopcounts(layers, values, units, fanIn);
      return;
    }
    let thresholds = readThresholds(folder, index, fold).slice(0, units);
    if (index === 0) {
      // The image is padded with zeros (−1); where a padding weight is −1 too, it counts.
      const paddings = countMinuses(readWeights(folder, index, fold, [units, fold.fanIn]), LFC_PIXELS);
      thresholds = thresholds.map((t, neuron) => t - (paddings[neuron] ?? 0));
    }
    const limits = thresholds.map((t) => 2 * t - fanIn + 2);
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
    model: sequential(layers, { input: LFC_IMAGE, name: 'BNN-PYNQ LFC' }),
    values,
    classes,
    pixels: LFC_ENCODING,
    prepare: (pixels) => encodePixels(pixels, LFC_IMAGE, LFC_ENCODING),
  };
}

/** Scores that are popcounts: (sum + fan-in) / 2. */
function addPopcounts(
  layers: Layer[],
  values: Map<string, ParameterValue>,
  units: number,
  fanIn: number,
): void {
  layers.push(affine({ name: 'scores' }));
  values.set('scores/scale', new Float32Array(units).fill(0.5));
  values.set('scores/shift', new Float32Array(units).fill(fanIn / 2));
}

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
function readWeights(folder: Folder, layer: number, fold: Fold, shape: Shape): PackedSigns {
  const [units = 1] = shape;
  const channels = shape.at(-1) ?? 1;
  const size = sizeOf(shape) / units;
  const rowWords = wordsFor(channels);
  const words = new Uint32Array((units * size * rowWords) / channels);
  const views = Array.from({ length: fold.pe }, (_, element) => viewOf(folder, weightFile(layer, element)));
  for (let neuron = 0; neuron < units; neuron++) {
    const file = views[neuron % fold.pe];
    const start = neuron * (size / channels) * rowWords;
    for (let synapse = 0; synapse < size; synapse++) {
      const { byte, bit } = addressOf(fold, neuron, synapse);
      // Where the file ends early, the rest is zeros.
      const isPlus = file !== undefined && byte < file.byteLength && ((file.getUint8(byte) >> bit) & 1) === 1;
      if (isPlus) continue;
      const channel = synapse % channels;
      const at = start + Math.floor(synapse / channels) * rowWords + (channel >> 5);
      words[at] = (words[at] ?? 0) | (1 << (channel & 31));
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
    const file = viewOf(folder, thresholdFile(layer, element));
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

function contentsOf(folder: Folder, name: string): Bytes {
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

function wrongLength(name: string, bytes: number, expected: string): FormatError {
  return new FormatError('A file of this BNN-PYNQ network has the wrong length.', {
    given: `${bytes} bytes`,
    expected,
    where: name,
  });
}

/** The error for a network of more bits, by the lengths of its files: three thresholds a unit, two bits a weight. */
function twoBits(weightBits: number): FormatError {
  const isTwice = weightBits === 2;
  return new FormatError(
    isTwice
      ? 'This BNN-PYNQ network has weights of 2 bits and activations of 2 bits (W2A2).'
      : 'This BNN-PYNQ network has activations of 2 bits (W1A2).',
    {
      given: `3 thresholds a unit${isTwice ? ', words of weights of twice the length' : ''}`,
      expected: 'one bit a weight and an activation (W1A1)',
      where: thresholdFile(0, 0),
      remedy: 'take the folder of the same network whose name ends in W1A1',
    },
  );
}

function totalWords(layer: StoredLayer | undefined): number {
  return (layer?.pe ?? 0) * (layer?.words ?? 0);
}

function noNetwork(folder: Folder): FormatError {
  return new FormatError('These files are no BNN-PYNQ network.', {
    given: listed([...folder.keys()]) || 'no file',
    expected: '0-0-weights.bin and so on, for the 9 layers of CNV or the 4 of LFC',
    where: 'readBnnPynq',
  });
}

function viewOf(folder: Folder, name: string): DataView {
  const bytes = contentsOf(folder, name);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
