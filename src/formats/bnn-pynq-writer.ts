/**
 * The writer of BNN-PYNQ's parameter folders (see `bnn-pynq.ts`): what was trained here, for the accelerators of FINN.
 *
 *   const files = encodeBnnPynq(model, values, { classes, pixels: '-1:1' });
 *
 * The format says a chain of binary layers and one threshold for each unit, and nothing else. A normalisation with the sign
 * after it becomes a threshold; where it falls with its sum, the weights of the unit change their signs instead.
 */

import type { Bytes } from '../bytes.ts';
import { FormatError, OptionError } from '../errors.ts';
import { describe, type Shape, sizeOf, wordsFor } from '../gpu/index.ts';
import { affineOf, normalizationOf } from '../graph/channels.ts';
import {
  assertSaysQuantizers,
  floatValue,
  type Model,
  type ModelLayer,
  type PackedSigns,
  type ParameterValues,
  packedValue,
} from '../graph/index.ts';
import { isSigns, takesSigns } from '../graph/signs.ts';
import type { QuantizeOptions } from '../layers/index.ts';
import { quantize } from '../numerics/integers.ts';
import { assertModel } from '../options.ts';
import { encodePixels, type PixelEncoding, type PixelRange, resolvePixels } from '../run/pixels.ts';
import { readBnnPynq } from './bnn-pynq.ts';
import {
  addressOf,
  BEYOND,
  type BnnPynqFolding,
  CNV,
  CNV_CONVOLUTIONS,
  CNV_ENCODING,
  CNV_IMAGE,
  CNV_POOLED,
  type Fold,
  LFC,
  LFC_ENCODING,
  LFC_IMAGE,
  MOST_SYNAPSES,
  MOST_UNITS,
  type Topology,
  thresholdFile,
  weightFile,
} from './bnn-pynq-layout.ts';
import { type Comparison, signOfNormalized, signOfScaled } from './comparisons.ts';

/** How a BNN-PYNQ parameter folder is written. */
export interface BnnPynqOptions {
  /** Names of the outputs, 1 to 64. Default: 0, 1, 2 and so on. */
  readonly classes?: readonly string[] | undefined;
  /**
   * What the network takes the bytes of an image as. The accelerator takes them in its own way, and the network must see the
   * same. Default: as `readBnnPynq` hands them over.
   */
  readonly pixels?: PixelRange | PixelEncoding | undefined;
  /** How each layer is computed. Default: as the published accelerator does, or what divides the layer. */
  readonly folding?: readonly BnnPynqFolding[] | undefined;
}

/**
 * Writes a network as a parameter folder: CNV, or dense layers on 28×28 images such as LFC.
 * @param model trained or folded, such as `cnv`, `lfc`, `sfc` and `tfc` of this library
 * @param values binary weights as latent reals or packed signs
 * @returns contents by name, with `classes.txt`; `readBnnPynq` reads a network that gives the same labels
 * @throws FormatError for a layer that the format can't say, with its name and the reason; OptionError for options that
 *   don't fit the network
 * @example for (const [name, bytes] of encodeBnnPynq(model, values)) await writeFile(join(folder, name), bytes);
 */
export function encodeBnnPynq(
  model: Model,
  values: ParameterValues,
  options: BnnPynqOptions = {},
): Map<string, Bytes> {
  assertModel(model, 'encodeBnnPynq', values);
  assertSaysQuantizers(model, 'BNN-PYNQ');
  const { before, stages, label } = stagesOf(model, values);
  const topology = topologyOf(model, stages, label);
  assertPixels(model, before, stages, topology, options.pixels);
  const classes = classNames(options.classes, sizeOf(model.outputShape));
  const folds = foldsOf(topology, stages, label, options.folding);
  const files = new Map<string, Bytes>();
  stages.forEach((stage, index) => {
    const fold = folds[index];
    const flips = label === 'smallest' && index === stages.length - 1;
    if (fold !== undefined) writeLayer(files, index, fold, stage, flips, topology === 'CNV' && index === 0);
  });
  files.set('classes.txt', new TextEncoder().encode(`${classes.join('\n')}\n`));
  if (options.folding !== undefined) assertReadable(files);
  return files;
}

type Floats = Float32Array;

/** A product of binary weights, and what becomes of its sums. */
interface Stage {
  readonly entry: ModelLayer;
  /** Bit 1 is −1. */
  readonly weights: PackedSigns;
  readonly isConvolution: boolean;
  /** Whether the layer multiplies signs, its own or those that came. */
  readonly takesSigns: boolean;
  /** Where a unit fires; none for sums whose largest is the label. */
  fires: Comparison | undefined;
  /** Pools after it. */
  readonly pools: { readonly entry: ModelLayer; readonly isOfSums: boolean }[];
}

/** Layers before the first product that change pixels, with their parameters. */
interface PixelLayer {
  readonly entry: ModelLayer;
  readonly scale: Floats;
  readonly zeroPoint: Floats;
}

/** How the label follows from the last layer: the largest sum, the smallest one, or the highest unit that fires. */
type Label = 'largest' | 'smallest' | 'highest';

/** Takes the graph apart. @throws FormatError for what isn't a chain of binary products, pools and thresholds */
function stagesOf(
  model: Model,
  values: ParameterValues,
): { before: readonly PixelLayer[]; stages: readonly Stage[]; label: Label } {
  const before: PixelLayer[] = [];
  const stages: Stage[] = [];
  const scores: ModelLayer[] = [];
  const number: ValueOf = (entry, name) => parameterOf(entry, name, values);
  const last = model.layers.findLastIndex((entry) => has(entry, 'kernel'));
  model.layers.forEach((entry, index) => {
    const { layer, inputs } = entry;
    if (inputs.length !== 1 || inputs[0] !== index - 1) throw refused(entry, 'it is no link of a chain');
    if (isIgnored(entry)) return;
    const stage = stages.at(-1);
    if (has(entry, 'kernel')) {
      const made = productOf(entry, values, isSigns(model, index - 1));
      // Sums that nothing compares are compared by the next layer, with 0.
      if (stage !== undefined && made.takesSigns) stage.fires ??= everySign(stage);
      stages.push(made);
      if (layer.config.output === 'signs') made.fires = comparisonOf(entry, number);
      if (layer.config.output === 'real') {
        if (index === last) scores.push(entry);
        else made.fires = comparisonOf(entry, number);
      }
    } else if (stage === undefined) {
      before.push(pixelLayerOf(entry, number));
    } else if (layer.traits?.pooling !== undefined) {
      if (has(entry, 'direction') && number(entry, 'direction').some((d) => d < 0)) {
        throw refused(entry, 'the smallest sign of a window is no OR of bits');
      }
      stage.pools.push({ entry, isOfSums: stage.fires === undefined });
    } else if (takesSigns(entry)) {
      stage.fires ??= everySign(stage);
    } else if (index > last && layer.traits?.channels?.do !== 'compare') {
      scores.push(entry);
    } else {
      if (stage.fires !== undefined) throw refused(entry, 'a unit has one threshold, and no number after it');
      stage.fires = comparisonOf(entry, number);
    }
  });
  const stage = stages.at(-1);
  if (stage === undefined) {
    throw new FormatError("BNN-PYNQ can't say this network.", {
      given: 'no layer with a kernel',
      expected: 'a chain of layers of binary weights',
      where: model.name,
    });
  }
  return { before, stages, label: labelOf(stage, scores, number) };
}

function has({ parameters }: ModelLayer, parameter: string): boolean {
  return parameters.some(({ name }) => name === parameter);
}

/** Whether a layer changes no number when a network is only run, and no label at its end. */
function isIgnored({ layer: { traits = {} } }: ModelLayer): boolean {
  return traits.reshapes === true || traits.idle === true || traits.keepsOrder === true;
}

/** Units that fire where their sum is at least 0. */
function everySign({ weights }: Stage): Comparison {
  const [units = 1] = weights.shape;
  return { direction: new Float32Array(units).fill(1), limit: new Float32Array(units) };
}

type ValueOf = (entry: ModelLayer, name: string) => Floats;

/** A layer between a product and the next, or its own end, as a comparison of the sum. */
function comparisonOf(entry: ModelLayer, number: ValueOf): Comparison {
  if (has(entry, 'direction')) {
    return { direction: number(entry, 'direction'), limit: number(entry, 'threshold') };
  }
  const numbers = normalizationOf(entry, number);
  if (numbers !== undefined) {
    const { gamma, beta, mean, variance, epsilon } = numbers;
    return signOfNormalized(gamma, beta, mean, variance, epsilon);
  }
  const affine = affineAt(entry, number);
  if (affine !== undefined) return signOfScaled(affine.scale, affine.shift);
  throw refused(entry, 'only normalisations, scales and thresholds stand between two layers');
}

/** What a layer, or the end of a product, multiplies with and adds. */
function affineAt(entry: ModelLayer, number: ValueOf): ReturnType<typeof affineOf> {
  if (!has(entry, 'multiplier')) return affineOf(entry, number);
  return { scale: number(entry, 'multiplier'), shift: number(entry, 'bias') };
}

function productOf(entry: ModelLayer, values: ParameterValues, comesAsSigns: boolean): Stage {
  const { name, layer, parameters, inputShapes, outputShape } = entry;
  const { config, traits } = layer;
  const spec = parameters.find((own) => own.name === 'kernel');
  const value = values.get(`${name}/kernel`);
  if (spec === undefined || value === undefined) {
    throw new FormatError('A parameter is missing.', { given: `${name}/kernel` });
  }
  if (spec.role !== 'binary') throw refused(entry, 'its weights have more than one bit');
  const { row, name: rule } = spec.quantizer ?? {};
  if (row?.hasScale === true || row?.hasOffset === true)
    throw refused(entry, `its quantizer, ${rule}, scales the weights of each filter`);
  if (config.useBias === true)
    throw refused(entry, 'it adds a bias', 'train with batchNormalization instead');
  if (config.kernelRotation !== undefined)
    throw refused(entry, 'its weights are rotated before their signs are taken');
  if (config.activation !== undefined || config.residual === true || config.prelu === true)
    throw refused(entry, 'it has an activation, a residual or a PReLU');
  const isConvolution = spec.shape.length === 4;
  if (isConvolution) {
    const [input = [], [, height, width, channels] = []] = [inputShapes[0], spec.shape];
    const expected = [(input[0] ?? 0) - 2, (input[1] ?? 0) - 2, spec.shape[0] ?? 0];
    const isPlain =
      height === 3 && width === 3 && channels === input[2] && describe(outputShape) === describe(expected);
    const { dilations = 1, strides = 1 } = config;
    if (!isPlain || ![dilations, strides].flat().every((step) => step === 1)) {
      throw refused(entry, 'convolutions are 3×3 with stride 1, without padding, dilation and groups');
    }
  }
  return {
    entry,
    weights: packedValue(value, spec.shape, `${name}/kernel`, spec.quantizer),
    isConvolution,
    takesSigns: comesAsSigns || traits?.readsSigns === true,
    fires: undefined,
    pools: [],
  };
}

/** How the last layers make a label. @throws FormatError where the format has no such rule */
function labelOf(stage: Stage, scores: readonly ModelLayer[], number: ValueOf): Label {
  const [entry] = scores;
  if (stage.fires !== undefined) {
    const isHighest =
      scores.length === 1 &&
      entry?.layer.traits?.channels?.do === 'scale' &&
      number(entry, 'scale').every((scale, unit) => scale === unit + 1) &&
      number(entry, 'shift').every((shift) => shift === 0);
    if (isHighest) return 'highest';
    throw refused(entry ?? stage.entry, 'signs at the end name a class only as the highest one that is set');
  }
  let way = 1;
  for (const own of scores) {
    const affine = affineAt(own, number);
    if (affine === undefined) throw refused(own, 'nothing but a scale follows the last layer');
    const { scale, shift } = affine;
    const [first = 1] = scale;
    const isSame = scale.every((s) => s === first) && shift.every((s) => s === shift[0]);
    if (!isSame || first === 0 || !Number.isFinite(first)) {
      throw refused(
        own,
        'the label is the largest count of the last layer, so one scale and one shift hold for all classes',
        'end the network as cnv() does: reshape({ shape: [classes, 1] }), batchNormalization(), flatten()',
      );
    }
    way *= Math.sign(first);
  }
  return way > 0 ? 'largest' : 'smallest';
}

/** @throws FormatError unless the chain is one of the two that accelerators have */
function topologyOf(model: Model, stages: readonly Stage[], label: Label): Topology {
  const convolution = stages.find(({ isConvolution }) => isConvolution);
  const wantedPools = convolution === undefined ? [] : CNV_POOLED;
  stages.forEach(({ entry, pools, fires, takesSigns }, index) => {
    if (index > 0 && !takesSigns) throw refused(entry, 'it takes numbers of more than one bit');
    const [pool, second] = pools;
    const isExpected = wantedPools.includes(index);
    if (second !== undefined || (pool !== undefined) !== isExpected) {
      throw refused(
        second?.entry ?? pool?.entry ?? entry,
        isExpected ? 'CNV pools after it' : 'pools stand after the second and the fourth layer of CNV only',
      );
    }
    if (pool === undefined) return;
    if (!isHalving(pool.entry)) throw refused(pool.entry, 'pools are 2×2 with stride 2');
    if (pool.isOfSums && fires?.direction.some((d) => d < 0)) {
      throw refused(
        pool.entry,
        'a unit after it fires below its threshold, and the largest sum of a window says nothing of the smallest',
        'put sign() before the pool, as cnv() does',
      );
    }
  });
  if (convolution === undefined) {
    assertShape(model, LFC_IMAGE);
    return 'LFC';
  }
  assertShape(model, CNV_IMAGE);
  CNV.forEach(({ outputs }, index) => {
    const stage = stages[index];
    const where = stage?.entry ?? stages.at(-1)?.entry ?? convolution.entry;
    const isLast = index === CNV.length - 1;
    const units = stage?.weights.shape[0] ?? 0;
    const kind = index < CNV_CONVOLUTIONS ? '3×3 convolutions' : 'dense units';
    if (stage?.isConvolution === index < CNV_CONVOLUTIONS && (units === outputs || isLast)) return;
    throw refused(where, `layer ${index + 1} of CNV has ${outputs} ${kind}`);
  });
  const extra = stages[CNV.length];
  if (extra !== undefined) throw refused(extra.entry, 'CNV has nine layers');
  if (label === 'highest')
    throw refused(stages[CNV.length - 1]?.entry ?? convolution.entry, "CNV's label is the largest count");
  return 'CNV';
}

function isHalving({ inputShapes, outputShape, layer }: ModelLayer): boolean {
  const [height = 0, width = 0] = inputShapes[0] ?? [];
  const { poolSize, strides = poolSize } = layer.config;
  return (
    [poolSize, strides].flat().every((extent) => extent === 2) &&
    outputShape[0] === Math.floor(height / 2) &&
    outputShape[1] === Math.floor(width / 2)
  );
}

function assertShape(model: Model, image: Shape): void {
  if (describe(model.inputShape) === describe(image)) return;
  throw new FormatError("BNN-PYNQ has no accelerator for this network's images.", {
    given: describe(model.inputShape),
    expected: `${describe(LFC_IMAGE)} for dense networks, ${describe(CNV_IMAGE)} for CNV`,
    where: model.name,
  });
}

/** A layer between the pixels and the first product. */
function pixelLayerOf(entry: ModelLayer, number: ValueOf): PixelLayer {
  if (takesSigns(entry)) return { entry, scale: new Float32Array(), zeroPoint: new Float32Array() };
  if (entry.layer.traits?.grid !== true) throw refused(entry, 'the first layer takes the pixels');
  return { entry, scale: number(entry, 'scale'), zeroPoint: number(entry, 'zeroPoint') };
}

/** @throws FormatError or OptionError unless the network's first product sees each byte as the accelerator's does */
function assertPixels(
  model: Model,
  before: readonly PixelLayer[],
  [stage]: readonly Stage[],
  topology: Topology,
  pixels: BnnPynqOptions['pixels'],
): void {
  const own = topology === 'CNV' ? CNV_ENCODING : LFC_ENCODING;
  const isBinary = topology === 'LFC';
  if (stage === undefined) return;
  if (stage.takesSigns !== isBinary) {
    throw refused(
      stage.entry,
      isBinary
        ? 'it takes numbers, and the accelerator one bit a pixel'
        : 'it takes signs, and the accelerator integers of 8 bits',
      isBinary ? "give it inputQuantizer: 'steSign', as tfc() does" : 'begin the network as cnv() does',
    );
  }
  const channels = model.inputShape.at(-1) ?? 1;
  // Every byte in every channel.
  const bytes = Uint8Array.from({ length: 256 * channels }, (_, i) => Math.floor(i / channels));
  const column = [256, 1, channels];
  const expected = encodePixels(bytes, column, own);
  const seen = before.reduce<ArrayLike<number>>(
    pixelsAfter,
    encodePixels(bytes, column, resolvePixels(pixels ?? own)),
  );
  const given = isBinary ? Float32Array.from(seen, (value) => (value < 0 ? -1 : 1)) : seen;
  const at = expected.findIndex((value, i) => value !== given[i]);
  if (at < 0) return;
  throw new OptionError("The network doesn't take pixels as the accelerator does.", {
    given: `${given[at]} for the byte ${Math.floor(at / channels)}`,
    expected: `${expected[at]}: ${isBinary ? 'bytes below 128 are −1, others +1' : 'bytes become −128 to 127'}`,
    where: stage.entry.name,
    remedy:
      pixels === undefined
        ? "say how the network takes them, as in { pixels: '-1:1' }"
        : 'begin the network as cnv() or tfc() does, and train it on pixels from −1 to 1',
  });
}

/** Pixels after a layer. */
function pixelsAfter(x: ArrayLike<number>, { entry, scale, zeroPoint }: PixelLayer): ArrayLike<number> {
  if (takesSigns(entry)) return Float32Array.from(x, (value) => (value < 0 ? -1 : 1));
  const {
    bits,
    signed = true,
    narrow = false,
    rounding = 'halfEven',
    output,
  } = entry.layer.config as unknown as QuantizeOptions;
  return quantize(x, scale, zeroPoint, { bits, signed, narrow, rounding, integers: output === 'integers' });
}

/** @throws OptionError unless there is a name for each output, in at most 64 lines */
function classNames(given: readonly string[] | undefined, count: number): readonly string[] {
  const classes = given ?? Array.from({ length: count }, (_, index) => `${index}`);
  const isRight =
    classes.length === count &&
    count <= MOST_UNITS &&
    classes.every((name) => name.trim() === name && name !== '' && !/[\r\n]/.test(name));
  if (isRight) return classes;
  throw new OptionError('The names of the classes are not right.', {
    given: `${classes.length} names`,
    expected: `${count} names, one a line, and at most ${MOST_UNITS}`,
    where: 'classes.txt',
  });
}

/** How each layer is computed. @throws OptionError for one that doesn't divide its layer */
function foldsOf(
  topology: Topology,
  stages: readonly Stage[],
  label: Label,
  folding: readonly BnnPynqFolding[] | undefined,
): Fold[] {
  if (folding !== undefined && folding.length !== stages.length) {
    throw new OptionError('There is one folding for each layer.', {
      given: `${folding.length}`,
      expected: `${stages.length}`,
      where: 'folding',
    });
  }
  const isLfc =
    topology === 'LFC' &&
    stages.length === LFC.length &&
    stages.every(({ weights }, i) => weights.shape[0] === LFC[i]?.outputs || i === LFC.length - 1);
  return stages.map(({ entry, weights }, index) => {
    const isLast = index === stages.length - 1;
    const [units = 1] = weights.shape;
    const fanIn = sizeOf(weights.shape) / units;
    const isCounted = isLast && label !== 'highest';
    const published = topology === 'CNV' ? CNV[index] : isLfc ? LFC[index] : undefined;
    const { pe, simd } = folding?.[index] ?? {
      pe: published?.pe ?? (isLast ? Math.min(units, LFC_LAST) : largestDivisor(units, MOST_ELEMENTS)),
      // The lengths of files without thresholds say the number of units only where a word has one synapse.
      simd: isCounted ? 1 : (published?.simd ?? largestDivisor(fanIn, MOST_SYNAPSES)),
    };
    const isWhole = [pe, simd].every((count) => Number.isSafeInteger(count) && count >= 1);
    const isPadded = topology === 'LFC' && index === 0 && simd === MOST_SYNAPSES;
    const fits = (fanIn % simd === 0 || isPadded) && (isLast ? pe <= MOST_UNITS : units % pe === 0);
    if (!isWhole || simd > MOST_SYNAPSES || !fits || (isCounted && simd !== 1)) {
      throw new OptionError("This folding doesn't divide its layer.", {
        given: `pe ${pe}, simd ${simd} for ${units} units of ${fanIn} synapses`,
        expected: isCounted
          ? `at most ${MOST_UNITS} elements and simd 1, since the last layer has no thresholds`
          : `divisors, and at most ${MOST_SYNAPSES} synapses`,
        where: entry.name,
      });
    }
    // As many as the published accelerator has, where files say so.
    const isAligned = isLast && (published === undefined || (topology === 'LFC' && isCounted));
    const outputs = isAligned ? pe * Math.ceil(units / pe) : (published?.outputs ?? units);
    return { outputs, fanIn: simd * Math.ceil(fanIn / simd), pe, simd };
  });
}

/** Elements of a layer whose folding nobody gave. */
const MOST_ELEMENTS = 32;
/** Elements of the published LFC's last layer. */
const LFC_LAST = 16;

function largestDivisor(of: number, most: number): number {
  let divisor = Math.min(of, most);
  while (of % divisor !== 0) divisor -= 1;
  return divisor;
}

/**
 * Adds the files of a layer.
 * @param flips all weights change their signs
 * @param isIntegers twice the sum is compared, and not the popcount
 */
function writeLayer(
  files: Map<string, Bytes>,
  layer: number,
  fold: Fold,
  { entry, weights, fires }: Stage,
  flips: boolean,
  isIntegers: boolean,
): void {
  const { outputs, fanIn, simd, pe } = fold;
  const [units = 1] = weights.shape;
  const channels = weights.shape.at(-1) ?? 1;
  const rowWords = wordsFor(channels);
  const synapses = sizeOf(weights.shape) / units;
  const rows = synapses / channels;
  const neurons = Array.from({ length: outputs / pe }, (_, index) => index);
  for (let element = 0; element < pe; element++) {
    const bits = new Uint8Array(8 * neurons.length * Math.ceil(fanIn / simd));
    const limits = new BigInt64Array(neurons.length);
    for (const row of neurons) {
      const neuron = row * pe + element;
      // Units past the last one never fire.
      const sides =
        neuron < units ? sideOf(entry, fires, neuron, synapses, isIntegers) : { side: 1, limit: fanIn };
      limits[row] = BigInt(sides.limit);
      for (let synapse = 0; neuron < units && synapse < fanIn; synapse++) {
        const channel = synapse % channels;
        const word = (neuron * rows + Math.floor(synapse / channels)) * rowWords + (channel >> 5);
        const isMinus = (((weights.words[word] ?? 0) >>> (channel & 31)) & 1) === 1;
        // What pads the pixels is −1, and counts nothing where its weight is +1.
        const isPlus = synapse >= synapses || (isMinus ? sides.side < 0 : sides.side > 0) !== flips;
        if (!isPlus) continue;
        const { byte, bit } = addressOf(fold, neuron, synapse);
        bits[byte] = (bits[byte] ?? 0) | (1 << bit);
      }
    }
    files.set(weightFile(layer, element), bits);
    if (fires !== undefined) files.set(thresholdFile(layer, element), littleEndian(limits));
  }
}

/** A unit's threshold as the accelerator has it, and whether its weights change their signs for it. */
function sideOf(
  entry: ModelLayer,
  fires: Comparison | undefined,
  unit: number,
  synapses: number,
  isIntegers: boolean,
): { side: number; limit: number } {
  if (fires === undefined) return { side: 1, limit: 0 };
  const [direction = 0, limit = 0] = [fires.direction[unit], fires.limit[unit]];
  if (!Number.isFinite(limit)) throw refused(entry, `the threshold of unit ${unit} is not finite`);
  // A constant is a threshold that every sum reaches, or none.
  const [always, never] = isIntegers ? [1 - BEYOND, BEYOND - 1] : [-1, synapses];
  if (direction === 0) return { side: 1, limit: limit <= 0 ? always : never };
  const least = Math.ceil(limit);
  // sum ≥ least where 2·sum > 2·least − 1, and where the popcount (sum + synapses)/2 is above the one before.
  const reached = isIntegers ? 2 * least - 1 : Math.ceil((least + synapses) / 2) - 1;
  return { side: direction, limit: Math.max(-BEYOND, Math.min(BEYOND, reached)) };
}

function littleEndian(values: BigInt64Array): Bytes {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (const [index, value] of values.entries()) view.setBigInt64(8 * index, value, true);
  return new Uint8Array(view.buffer);
}

/** @throws OptionError where the lengths of the files say other layers than were written */
function assertReadable(files: ReadonlyMap<string, Bytes>): void {
  try {
    readBnnPynq(files);
  } catch (cause) {
    throw new OptionError("The layers can't be told from files of this folding.", {
      given: cause instanceof FormatError ? `${cause.where}: ${cause.given}` : String(cause),
      expected: 'the folding of a published accelerator, or none',
      where: 'folding',
      cause,
    });
  }
}

/** A parameter of a layer as floats. @throws FormatError when it is missing, ShapeError when it doesn't fit */
function parameterOf(entry: ModelLayer, name: string, values: ParameterValues): Floats {
  const full = `${entry.name}/${name}`;
  const value = values.get(full);
  const spec = entry.parameters.find((own) => own.name === name);
  if (value === undefined || spec === undefined) {
    throw new FormatError('A parameter is missing.', { given: full, where: entry.name });
  }
  return floatValue(value, spec.shape, full);
}

function refused({ name, layer }: ModelLayer, reason: string, remedy?: string): FormatError {
  return new FormatError("BNN-PYNQ can't say this layer.", {
    given: `${layer.kind}: ${reason}`,
    where: name,
    remedy,
  });
}
