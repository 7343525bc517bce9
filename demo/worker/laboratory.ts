/**
 * What the page asks of the library: one GPU, a binary network and its twin of real numbers that see the same batches in the
 * same order, and the run in the browser's storage. It lives in a worker, so that the page never waits for it.
 */

import { signsRead } from '../../src/geometry/activations.ts';
import {
  type Classifier,
  type Dataset,
  decodeCheckpoint,
  encodeCheckpoint,
  Gpu,
  type LayerGeometry,
  loadModel,
  measureGeometry,
  measureProportionality,
  type Quantizer,
  type SaveFormat,
  type StepMetrics,
  samplesOf,
  saveTraining,
  summarize,
  Trainer,
  takeFirst,
} from '../../src/index.ts';
import { scheduledAt } from '../../src/methods/schedules.ts';
import { encodePixels } from '../../src/run/pixels.ts';
import { withEpochs } from '../../src/train/progress.ts';
import { methodOf } from '../state/methods.ts';
import { networkOf } from '../state/network.ts';
import type { PictureGroup } from '../state/pictures.ts';
import { MY_QUANTIZER, type Settings } from '../state/settings.ts';
import { quantizerOf, tryGradient } from './gradient.ts';
import { packNetwork, unpackInto } from './links.ts';
import { loadMnist } from './mnist.ts';
import { bytesOf, datasetOf, ownPicturesOf, readPictures, type StoredPictures } from './pictures.ts';
import {
  type Adapter,
  addAngles,
  append,
  type Curves,
  emptyHistory,
  type Filters,
  type History,
  type LabEvents,
  type LayerSigns,
  type MeasuredGpu,
  type Mistakes,
  type OpenedModel,
  type OwnPictures,
  type Prepared,
  type Recognised,
  type RunSummary,
  type Scores,
  type TriedGradient,
  TroubleError,
  troubleOf,
} from './protocol.ts';
import {
  allRuns,
  deleteRun,
  keepRun,
  picturesOf,
  renameRun,
  runOf,
  type StoredRun,
  type Story,
} from './runs.ts';

/** The learning rate ends at this share of where it starts. */
const FINAL_RATE = 0.05;
/** Where the learning rate of real weights starts. */
const TWIN_RATE = 0.003;
/** Milliseconds that a group of steps shall take: what is shown is as old as that. */
const GROUP_TIME = 120;
/** Milliseconds between measurements of the angles and the filters while training; and of the dot products. */
const GEOMETRY_PAUSE = 500;
const PAIRS_PAUSE = 2500;
/** Held-out images that the dot products are taken with. */
const PAIRS_IMAGES = 50;
/** Steps between checkpoints, besides those at the end of an epoch. */
const CHECKPOINT_STEPS = 200;
/** The age of signs that have not flipped of late. */
const OLD = 255;
/** Filters that are drawn, and wrong images. */
const FILTERS = 64;
const WORST = 12;

export class Laboratory {
  readonly #events: LabEvents;
  readonly #base: string;
  #gpu: Gpu | undefined;
  #binary: Trainer | undefined;
  #twin: Trainer | undefined;
  #data: Dataset | undefined;
  /** Pictures that were read or opened last. */
  #pictures: StoredPictures | undefined;
  #run: RunSummary | undefined;
  #history: History = emptyHistory();
  /** Undefined of a run that was kept without one. */
  #story: Story | undefined;
  #classifier: Classifier | undefined;
  /** Gives up the lock of the run at hand; done once others can have it. */
  #release: (() => Promise<void>) | undefined;
  #stopping = true;
  #loop: Promise<unknown> = Promise.resolve();
  #layer: string | undefined;
  #samples: Float32Array<ArrayBuffer> | undefined;
  #measured = 0;
  #pairsMeasured = 0;
  #signs: { readonly words: Uint32Array; readonly step: number; readonly flips: Int32Array } | undefined;

  /** @param base URL of the page, which files that are loaded lie beside */
  constructor(base: string, events: LabEvents) {
    this.#base = base;
    this.#events = events;
  }

  /** Asks for a GPU, anew where there was one. @throws WebGpuUnavailableError, NoAdapterError */
  async open(): Promise<Adapter> {
    await this.close();
    const gpu = await Gpu.request();
    this.#gpu = gpu;
    void gpu.lost.then((error) => {
      if (!gpu.disposed) this.#events.onLost(troubleOf(error));
    });
    const { name, software } = gpu.adapter;
    return { name, software };
  }

  /**
   * Makes the networks of some settings, ready to be trained: a run of its own.
   * @param network what the binary network shall be, of a link; it is shown as it is
   */
  async prepare(
    settings: Settings,
    onLoaded: (share: number) => void,
    network?: Uint8Array<ArrayBuffer>,
  ): Promise<Prepared> {
    const now = Date.now();
    const run: RunSummary = {
      ...{ id: crypto.randomUUID(), name: this.#nameOf(settings), created: now, changed: now, settings },
      ...{ step: 0, steps: 0, accuracy: undefined, twinAccuracy: undefined, bytes: 0 },
    };
    return this.#make(run, onLoaded, { network });
  }

  /** Makes the networks of a run that was kept, as they stood. */
  async resume(id: string, onLoaded: (share: number) => void): Promise<Prepared> {
    const stored = await keptRun(id);
    return this.#make(stored.summary, onLoaded, { stored });
  }

  /**
   * Makes the networks of a finished run ready for more epochs, and keeps that it is longer now: a page that is left at once goes
   * on with it. The learning rate falls over all epochs of the longer run from here on.
   */
  async prolong(id: string, more: number, onLoaded: (share: number) => void): Promise<Prepared> {
    const { summary, ...stored } = await keptRun(id);
    const settings = { ...summary.settings, epochs: summary.settings.epochs + more };
    const prepared = await this.#make({ ...summary, settings }, onLoaded, { stored: { summary, ...stored } });
    await this.#keep();
    return prepared;
  }

  /** The curves of a run that was kept. */
  async historyOf(id: string): Promise<History> {
    return (await keptRun(id)).history;
  }

  async #make(
    run: RunSummary,
    onLoaded: (share: number) => void,
    {
      stored,
      network,
    }: { readonly stored?: StoredRun; readonly network?: Uint8Array<ArrayBuffer> | undefined },
  ): Promise<Prepared> {
    await this.#disposeTrainers();
    const gpu = this.#assertOpen();
    const { settings } = run;
    await this.#claim(run.id);
    const data = await this.#dataOf(settings, onLoaded);
    const { batch, epochs, rate, seed, optimizer, loss, penalty, schedule = 'exponential' } = settings;
    if (!(rate > 0)) {
      throw new TroubleError({
        kind: 'error',
        what: 'Without a learning rate a network learns nothing.',
        given: `learning rate ${rate}`,
        expected: 'more than 0, at most 1',
        remedy: 'choose 0.02, which suits adam, or a tenth of it',
      });
    }
    const options = { batch, epochs, seed, loss: methodOf('loss', loss) };
    const decaying = (from: number) =>
      schedule === 'constant' ? from : { from, to: from * FINAL_RATE, decay: schedule };
    const model = networkOf(settings.layers, await this.#quantizerOf(settings), data);
    const real = networkOf(settings.layers, undefined, data);
    this.#binary = await Trainer.create(gpu, model, data, {
      ...options,
      learningRate: decaying(rate),
      optimizer: methodOf('optimizer', optimizer),
      ...(penalty === 'none' ? {} : { penalty: methodOf('penalty', penalty) }),
    });
    // The twin learns by what suits real weights, whatever moves the signs.
    if (settings.twin && network === undefined) {
      this.#twin = await Trainer.create(gpu, real, data, { ...options, learningRate: decaying(TWIN_RATE) });
    }
    if (stored !== undefined) {
      const isLonger = epochs > stored.summary.settings.epochs;
      const checkpointOf = (file: Uint8Array<ArrayBuffer>) => {
        const { checkpoint } = decodeCheckpoint(file, 'the run');
        return isLonger ? withEpochs(checkpoint, epochs) : checkpoint;
      };
      await this.#binary.restore(checkpointOf(stored.binary));
      if (this.#twin !== undefined && stored.twin !== undefined) {
        await this.#twin.restore(checkpointOf(stored.twin));
      }
    }
    if (network !== undefined) await unpackInto(this.#binary.network, network);
    this.#data = data;
    this.#signs = undefined;
    this.#history = stored === undefined ? emptyHistory() : upTo(stored.history, run.step);
    const steps = this.#binary.batches * epochs;
    this.#run = { ...run, steps };
    this.#samples = samplesOf(data, 'test', { count: Math.min(PAIRS_IMAGES, data.test.count) });
    const geometry = await this.#measure(true);
    const fresh = () => ({ initial: initialOf(geometry), records: [] });
    this.#story = stored === undefined ? fresh() : stored.story;
    const total = summarize(model).total;
    return {
      ...{ id: run.id, step: this.#binary.progress.step, steps },
      brought: network === undefined ? undefined : (await this.#binary.evaluate()).accuracy,
      classes: data.classes,
      layers: this.#layers,
      sizes: { binary: total.bytes, real: summarize(real).total.bytes },
      operations: total.operations,
      history: this.#history,
      pictures: settings.pictures === undefined ? undefined : this.#shown,
    };
  }

  /** Reads pictures of the visitor's own, for networks that are prepared after. @throws TroubleError */
  async readPictures(groups: readonly PictureGroup[], skipBroken: boolean): Promise<OwnPictures> {
    const read = await readPictures(groups, skipBroken);
    this.#pictures = read;
    return ownPicturesOf(read);
  }

  /** Reads the four files of a set in MNIST's format. @throws TroubleError, FormatError */
  async readIdx(files: readonly File[], classes: readonly string[]): Promise<OwnPictures> {
    const { readIdx } = await import('./idx.ts');
    const read = await readIdx(files, classes);
    this.#pictures = read;
    return ownPicturesOf(read);
  }

  /** Measures the GPU, for a minute. @param measuring told what is measured next */
  async measureGpu(measuring: (what: string) => void): Promise<MeasuredGpu> {
    const { measureGpu } = await import('./bench.ts');
    return measureGpu(this.#assertOpen(), measuring);
  }

  /** Trains to the end, or until `pause`. @returns whether it came to the end */
  async train(): Promise<boolean> {
    await this.#loop;
    this.#stopping = false;
    const loop = this.#train();
    this.#loop = loop.catch(() => undefined);
    return loop;
  }

  async #train(): Promise<boolean> {
    const binary = this.#assertPrepared();
    const twin = this.#twin;
    const steps = this.#run?.steps ?? 0;
    let group = 1;
    let rate = { binary: 0, twin: 0 };
    while (binary.progress.step < steps && !this.#stopping) {
      const { step } = binary.progress;
      const inEpoch = step % binary.batches;
      const untilSave = CHECKPOINT_STEPS - (inEpoch % CHECKPOINT_STEPS);
      const count = Math.min(group, binary.batches - inEpoch, untilSave);
      const began = performance.now();
      const rows = await binary.runSteps(count);
      const between = performance.now();
      const twinRows = await twin?.runSteps(count);
      const ended = performance.now();
      group = Math.max(1, Math.min(64, Math.round((count * GROUP_TIME) / Math.max(1, ended - began))));
      const images = rows.reduce((sum, row) => sum + row.count, 0);
      rate = {
        binary: smoothed(rate.binary, (1000 * images) / (between - began)),
        twin: smoothed(rate.twin, (1000 * images) / (ended - between)),
      };
      this.#tell(rows, twinRows, rate);
      const isEpochEnd = (step + count) % binary.batches === 0;
      if (step + count === steps) {
        await binary.finish();
        await twin?.finish();
      }
      if (isEpochEnd) await this.#endEpoch();
      if (isEpochEnd || (step + count) % CHECKPOINT_STEPS === 0) await this.#keep();
      await this.#measure(isEpochEnd);
    }
    // At the end of an epoch it was kept already.
    if (this.#run?.step !== binary.progress.step) await this.#keep();
    return binary.progress.step >= steps;
  }

  pause(): void {
    this.#stopping = true;
  }

  /** Scores of the classes for one image u8 [28, 28], by either network. */
  async scores(image: Uint8Array<ArrayBuffer>): Promise<Scores> {
    const binary = this.#assertPrepared();
    const sample = encodePixels(image, binary.data.image, binary.data.normalise);
    const [scores, twin] = await Promise.all([binary.predict(sample), this.#twin?.predict(sample)]);
    return { binary: scores, twin };
  }

  /** The signs that the layers of the binary network read of an image u8 [28, 28]. */
  async activations(image: Uint8Array<ArrayBuffer>): Promise<readonly LayerSigns[]> {
    const { network, data } = this.#assertPrepared();
    const read = await signsRead(network, encodePixels(image, data.image, data.normalise));
    return read.map(({ layer, rows, bits }) => {
      const { layers } = network.model;
      const input = layers.find(({ name }) => name === layer)?.inputs[0] ?? -1;
      const shape = layers[input]?.outputShape ?? [];
      const isMap = shape.length === 3;
      const [height, width] = isMap ? [shape[0] ?? 1, shape[1] ?? 1] : squareOf(bits);
      const count = bits / (height * width);
      const signs = new Int16Array(bits);
      let negative = 0;
      for (let at = 0; at < bits; at++) {
        const bit = ((rows[at >> 5] ?? 0) >>> (at & 31)) & 1;
        negative += bit;
        // Channels lie last in memory, and first in pictures.
        signs[isMap ? (at % count) * height * width + Math.floor(at / count) : at] = bit === 1 ? -OLD : OLD;
      }
      return { layer, count, height, width, signs, negative };
    });
  }

  /** A held-out image, and what it is. */
  heldOut(index: number): {
    readonly image: Uint8Array<ArrayBuffer>;
    /** Its class. */
    readonly name: string;
    readonly index: number;
  } {
    if (this.#data === undefined) throw new Error('no data is loaded');
    const { test, classes } = this.#data;
    const at = index % test.count;
    return {
      image: Uint8Array.from(test.images.subarray(at * 784, (at + 1) * 784)),
      name: classes[test.labels[at] ?? 0] ?? '',
      index: at,
    };
  }

  /** How the held-out images are taken for by the binary network. */
  async mistakes(): Promise<Mistakes> {
    const binary = this.#assertPrepared();
    const data = this.#data;
    if (data === undefined) throw new Error('no data is loaded');
    const { test, classes } = data;
    const confusion = new Uint32Array(classes.length ** 2);
    const wrong: { index: number; label: number; taken: number; score: number }[] = [];
    const step = binary.progress.step;
    for (let first = 0; first < test.count; first += 500) {
      const count = Math.min(500, test.count - first);
      const scores = await binary.predict(samplesOf(data, 'test', { first, count }));
      for (let i = 0; i < count; i++) {
        const own = scores.subarray(i * classes.length, (i + 1) * classes.length);
        const taken = own.indexOf(Math.max(...own));
        const label = test.labels[first + i] ?? 0;
        const cell = label * classes.length + taken;
        confusion[cell] = (confusion[cell] ?? 0) + 1;
        if (taken !== label) {
          wrong.push({ index: first + i, label, taken, score: (own[taken] ?? 0) - (own[label] ?? 0) });
        }
      }
    }
    wrong.sort((a, b) => b.score - a.score);
    const worst = wrong.slice(0, WORST).map((one) => ({ ...one, image: this.heldOut(one.index).image }));
    return { step, classes, confusion, worst };
  }

  /** The layer whose dot products are measured from now on. */
  async choose(layer: string): Promise<void> {
    this.#layer = layer;
    if (this.#binary !== undefined) await this.#measurePairs();
  }

  /** Compiles a gradient function and evaluates it. */
  tryGradient(wgsl: string): Promise<TriedGradient> {
    return tryGradient(this.#assertOpen(), wgsl);
  }

  /**
   * Opens a model file, or the files of a folder; a network that was open before is closed. It runs on the GPU where there is
   * hardware, and else in WebAssembly.
   */
  async openModel(files: readonly File[]): Promise<OpenedModel> {
    const [first] = files;
    if (first === undefined) throw new Error('no file was given');
    const loaded = await loadModel(files);
    const isSoftware = this.#gpu?.adapter.software !== false;
    const classifier = await loaded.createClassifier(isSoftware ? { engine: 'wasm' } : this.#gpu);
    this.#classifier?.dispose();
    this.#classifier = classifier;
    const { layers, inputShape } = summarize(loaded.model);
    return {
      ...{ name: first.name, format: loaded.format, bytes: loaded.bytes, input: inputShape },
      takesPictures:
        inputShape.length === 3 && [1, 3].includes(inputShape[2] ?? 0) && loaded.pixels !== undefined,
      ...{ classes: loaded.classes, engine: classifier.engine, folded: loaded.folded },
      layers: layers.map(({ name, kind, outputShape, binaryParameters, floatParameters, operations }) => ({
        ...{ name, kind, shape: outputShape, binary: binaryParameters, real: floatParameters },
        ...{ binaryOperations: operations.binary, realOperations: operations.float },
      })),
      kept: loaded.kept.map(({ name, reason }) => ({ layer: name, reason })),
    };
  }

  /** What the opened network takes a picture for. */
  async recognise(picture: Blob): Promise<Recognised> {
    if (this.#classifier === undefined) throw new Error('no model is open');
    const { results, millisecondsPerImage } = await this.#classifier.classify(picture, { top: 5 });
    return {
      classes: (results[0] ?? []).map(({ name, score }) => ({ name, score })),
      milliseconds: millisecondsPerImage,
    };
  }

  /** The binary network as a file. */
  save(format: SaveFormat): Promise<Uint8Array<ArrayBuffer>> {
    return saveTraining(this.#assertPrepared(), format);
  }

  /** The binary network as a link holds it. */
  packed(): Promise<Uint8Array<ArrayBuffer>> {
    return packNetwork(this.#assertPrepared().network);
  }

  /** A page that uses the binary network, as a zip of its folder. */
  async page(): Promise<Uint8Array<ArrayBuffer>> {
    const { pageOf } = await import('./exports.ts');
    return pageOf(this.#assertPrepared(), this.#base);
  }

  /** The report of the training, as one page. @param link address that opens with its settings @throws TroubleError */
  async report(link: string): Promise<string> {
    const [binary, data, run, story] = [this.#assertPrepared(), this.#data, this.#run, this.#story];
    if (data === undefined || run === undefined || story === undefined || story.records.length === 0) {
      throw new TroubleError({
        kind: 'error',
        what: 'A report tells what epochs were like, and this run has kept none.',
        remedy: 'train for an epoch',
      });
    }
    const { reportOf } = await import('./exports.ts');
    return reportOf(this.#assertOpen(), binary, data, run.settings, story, link);
  }

  /** Of the binary network's weights: two runs that agree to the bit have the same. */
  hash(): Promise<string> {
    return this.#assertPrepared().network.hash();
  }

  runs(): Promise<RunSummary[]> {
    return allRuns();
  }

  renameRun(id: string, name: string): Promise<void> {
    if (this.#run?.id === id) this.#run = { ...this.#run, name };
    return renameRun(id, name);
  }

  async deleteRun(id: string): Promise<void> {
    if (this.#run?.id === id) await this.#disposeTrainers();
    await deleteRun(id);
  }

  /** Waits until nothing is under way. */
  async stop(): Promise<void> {
    this.pause();
    await this.#loop;
  }

  /** Frees everything; safe on a lost device. */
  async close(): Promise<void> {
    await this.#disposeTrainers();
    this.#classifier?.dispose();
    this.#classifier = undefined;
    this.#gpu?.dispose();
    this.#gpu = undefined;
  }

  #tell(
    rows: readonly StepMetrics[],
    twinRows: readonly StepMetrics[] | undefined,
    rate: { readonly binary: number; readonly twin: number },
  ): void {
    const { progress, batches, options } = this.#assertPrepared();
    const since = emptyHistory();
    const mean = { loss: progress.lossSum / progress.batch, accuracy: progress.correct / progress.count };
    addSteps(since.binary, rows, progress.step, mean);
    const twin = this.#twin?.progress;
    const twinMean =
      twin === undefined
        ? undefined
        : { loss: twin.lossSum / twin.batch, accuracy: twin.correct / twin.count };
    if (twinRows !== undefined && twinMean !== undefined) {
      addSteps(since.twin, twinRows, progress.step, twinMean);
    }
    append(this.#history, since);
    this.#events.onSteps(
      {
        ...{ step: progress.step, steps: batches * options.epochs },
        ...{ epoch: Math.ceil(progress.step / batches), epochs: options.epochs },
        ...mean,
        imagesPerSecond: rate.binary,
        twin: twinMean,
        twinImagesPerSecond: twin === undefined ? undefined : rate.twin,
      },
      since,
    );
  }

  async #endEpoch(): Promise<void> {
    const binary = this.#assertPrepared();
    const { step } = binary.progress;
    const held = await binary.evaluate();
    const twin = await this.#twin?.evaluate();
    const since = emptyHistory();
    since.binary.testLoss.push([step, held.loss]);
    since.binary.testAccuracy.push([step, 100 * held.accuracy]);
    if (twin !== undefined) {
      since.twin.testLoss.push([step, twin.loss]);
      since.twin.testAccuracy.push([step, 100 * twin.accuracy]);
    }
    append(this.#history, since);
    await this.#tellEpoch(held);
    if (this.#run !== undefined) {
      this.#run = { ...this.#run, accuracy: held.accuracy, twinAccuracy: twin?.accuracy };
    }
    this.#events.onEpoch(
      { epoch: step / binary.batches, testAccuracy: held.accuracy },
      twin?.accuracy,
      since,
    );
  }

  /** Writes an epoch down for the report. @throws NonFiniteError for weights that are no numbers */
  async #tellEpoch(held: { readonly loss: number; readonly accuracy: number }): Promise<void> {
    const [binary, story] = [this.#assertPrepared(), this.#story];
    if (story === undefined) return;
    const { epochRecord } = await import('../../src/reports/recording.ts');
    const { step, epoch, batch, count, correct, lossSum, seconds } = binary.progress;
    const time = { step: step - 1, steps: this.#run?.steps ?? step, epochSteps: binary.batches };
    const learningRate = scheduledAt(binary.options.learningRate, time);
    const record = await epochRecord(binary, {
      ...{ epoch: epoch + 1, trainLoss: lossSum / batch, trainAccuracy: correct / count },
      ...{ testLoss: held.loss, testAccuracy: held.accuracy, learningRate, seconds },
      imagesPerSecond: count / seconds,
    });
    this.#story = { ...story, records: [...story.records, record] };
  }

  /** Keeps the run as it stands; where that can't be done, the training goes on. */
  async #keep(): Promise<void> {
    const [binary, twin] = [this.#binary, this.#twin];
    if (binary === undefined) return;
    const files = {
      binary: encodeCheckpoint(await binary.checkpoint()),
      twin: twin === undefined ? undefined : encodeCheckpoint(await twin.checkpoint()),
    };
    // Read now: it may have been renamed or deleted meanwhile.
    const run = this.#run;
    if (run === undefined) return;
    const learnt = this.#pictures?.id === run.settings.pictures ? this.#pictures : undefined;
    const bytes =
      files.binary.length + (files.twin?.length ?? 0) + (learnt === undefined ? 0 : bytesOf(learnt));
    const summary = { ...run, step: binary.progress.step, changed: Date.now(), bytes };
    this.#run = summary;
    try {
      const story = this.#story === undefined ? {} : { story: this.#story };
      await keepRun({ summary, history: this.#history, ...story, ...files }, learnt);
      this.#events.onSaved(summary);
    } catch (cause) {
      this.#events.onUnsaved({
        kind: 'error',
        what: "The browser's storage takes no more: this run is not kept.",
        given: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause),
        remedy: 'delete runs in the list, or allow this page to store data; the training goes on',
      });
    }
  }

  /** Angles and filters, and dot products where they are due. @param all whatever was measured when */
  async #measure(all: boolean): Promise<readonly LayerGeometry[]> {
    const { network, progress } = this.#assertPrepared();
    if (!all && performance.now() - this.#measured < GEOMETRY_PAUSE) return [];
    const { step } = progress;
    const geometry = await measureGeometry(network);
    addAngles(this.#history, geometry, step);
    this.#events.onGeometry(geometry, step);
    await this.#measureFilters(step);
    if (all || performance.now() - this.#pairsMeasured > PAIRS_PAUSE) await this.#measurePairs();
    this.#measured = performance.now();
    return geometry;
  }

  async #measureFilters(step: number): Promise<void> {
    const { network } = this.#assertPrepared();
    const parameter = network.binaryParameters[0];
    if (parameter?.packed === undefined) return;
    const { shape } = parameter.spec;
    const [filters = 0] = shape;
    const values = shape.slice(1).reduce((product, extent) => product * extent, 1);
    const last = shape.at(-1) ?? 1;
    const words = await network.gpu.readWords(parameter.packed);
    const before = this.#signs;
    const flips = before?.flips ?? new Int32Array(filters * values).fill(-1);
    const count = Math.min(FILTERS, filters);
    const signs = new Int16Array(count * values);
    const rowWords = Math.ceil(last / 32);
    let flipped = 0;
    for (let at = 0; at < filters * values; at++) {
      const [row, lane] = [Math.floor(at / last), at % last];
      const word = row * rowWords + (lane >>> 5);
      const bit = ((words[word] ?? 0) >>> (lane & 31)) & 1;
      const was = before === undefined ? bit : ((before.words[word] ?? 0) >>> (lane & 31)) & 1;
      if (bit !== was) {
        flips[at] = step;
        flipped += 1;
      }
      if (at >= signs.length) continue;
      const flip = flips[at] ?? -1;
      const age = flip < 0 ? OLD : Math.max(1, Math.min(OLD, step - flip + 1));
      signs[at] = bit === 1 ? -age : age;
    }
    this.#signs = { words, step, flips };
    const [height, width] = shape.length === 4 ? [shape[1] ?? 1, (shape[2] ?? 1) * last] : squareOf(values);
    const filtersOf: Filters = {
      ...{ step, layer: parameter.name.split('/')[0] ?? '', count, width, height, signs, flipped },
    };
    this.#events.onFilters(filtersOf);
  }

  get #layers(): readonly string[] {
    return this.#binary?.network.binaryParameters.map(({ name }) => name.split('/')[0] ?? name) ?? [];
  }

  async #measurePairs(): Promise<void> {
    const binary = this.#assertPrepared();
    const layer = this.#layers.find((name) => name === this.#layer) ?? this.#layers[0];
    if (this.#samples === undefined || layer === undefined) return;
    const { step } = binary.progress;
    const options = { layers: [layer], patches: 0, batch: PAIRS_IMAGES };
    const [measured] = await measureProportionality(binary.network, this.#samples, options);
    this.#pairsMeasured = performance.now();
    // Another layer may have been chosen meanwhile.
    if (measured !== undefined && (this.#layer === undefined || layer === this.#layer)) {
      this.#events.onPairs(measured, step);
    }
  }

  async #quantizerOf({ quantizer, gradient }: Settings): Promise<Quantizer> {
    if (quantizer !== MY_QUANTIZER) return methodOf('quantizer', quantizer);
    const tried = await this.tryGradient(gradient);
    if ('points' in tried) return quantizerOf(gradient, tried.points);
    const [first] = tried.errors;
    throw new TroubleError({
      kind: 'error',
      what: 'The gradient function does not compile.',
      where: `line ${first?.line}`,
      given: first?.message,
      remedy: 'mend the text, or choose a quantizer of the library',
    });
  }

  async #dataOf(settings: Settings, onLoaded: (share: number) => void): Promise<Dataset> {
    const { pictures, images, heldOut } = settings;
    if (pictures === undefined) {
      return loadMnist(new URL('mnist', this.#base).href, { train: images, test: heldOut }, onLoaded);
    }
    const own = this.#pictures?.id === pictures ? this.#pictures : await picturesOf(pictures);
    if (own === undefined) {
      throw new TroubleError({
        kind: 'error',
        what: 'The pictures of this run are not in this browser any more.',
        remedy: 'choose them again, or go back to MNIST, under “Your pictures”',
      });
    }
    this.#pictures = own;
    return takeFirst(datasetOf(own), Math.min(images, own.train.count), Math.min(heldOut, own.test.count));
  }

  get #shown(): OwnPictures | undefined {
    return this.#pictures === undefined ? undefined : ownPicturesOf(this.#pictures);
  }

  #nameOf({ layers, quantizer, optimizer, pictures }: Settings): string {
    const network = `${layers.map(({ units }) => units).join('-')}, ${quantizer}, ${optimizer}`;
    return pictures === undefined
      ? network
      : `${this.#pictures?.classes.join(', ') ?? 'pictures'}: ${network}`;
  }

  /** A run is trained in one tab at a time. */
  async #claim(id: string): Promise<void> {
    await this.#giveUp();
    if (navigator.locks === undefined) return;
    const claimed = await new Promise<boolean>((resolve) => {
      const lock = navigator.locks.request(`webgpu-bnn run ${id}`, { ifAvailable: true }, (given) => {
        resolve(given !== null);
        if (given === null) return undefined;
        return new Promise<void>((release) => {
          this.#release = async () => {
            release();
            await lock;
          };
        });
      });
    });
    if (claimed) return;
    throw new TroubleError({
      kind: 'error',
      what: 'This run is open in another tab.',
      remedy: 'go on there, or close that tab and try again',
    });
  }

  async #giveUp(): Promise<void> {
    await this.#release?.();
    this.#release = undefined;
  }

  async #disposeTrainers(): Promise<void> {
    await this.stop();
    await this.#giveUp();
    this.#binary?.dispose();
    this.#twin?.dispose();
    this.#binary = undefined;
    this.#twin = undefined;
    this.#run = undefined;
  }

  #assertOpen(): Gpu {
    if (this.#gpu === undefined) throw new Error('no GPU is open');
    return this.#gpu;
  }

  #assertPrepared(): Trainer {
    if (this.#binary === undefined) throw new Error('no network is prepared');
    return this.#binary;
  }
}

/** A run as it was kept. @throws TroubleError where it is not there */
async function keptRun(id: string): Promise<StoredRun> {
  const stored = await runOf(id);
  if (stored !== undefined) return stored;
  throw new TroubleError({
    kind: 'error',
    what: 'This run is not in this browser any more.',
    remedy: 'start a new one',
  });
}

const initialOf = (geometry: readonly LayerGeometry[]): Story['initial'] =>
  geometry.map(({ name, meanAngle }) => ({ name, angleDegrees: meanAngle }));

/** Height and width of a picture of so many values, as square as may be. */
function squareOf(values: number): [number, number] {
  let height = Math.floor(Math.sqrt(values));
  while (values % height !== 0) height -= 1;
  return [height, values / height];
}

function addSteps(
  curves: Curves,
  rows: readonly StepMetrics[],
  step: number,
  mean: { readonly loss: number; readonly accuracy: number },
): void {
  for (const row of rows) {
    curves.stepLoss.push([row.step + 1, row.loss]);
    curves.stepAccuracy.push([row.step + 1, (100 * row.correct) / row.count]);
  }
  curves.meanLoss.push([step, mean.loss]);
  curves.meanAccuracy.push([step, 100 * mean.accuracy]);
}

/** What a history says up to a step: what came later is trained anew. */
function upTo(history: History, step: number): History {
  const cut = <T extends Readonly<Record<string, History['binary']['stepLoss']>>>(curves: T): T =>
    Object.fromEntries(
      Object.entries(curves).map(([name, points]) => [name, points.filter(([x]) => x <= step)]),
    ) as T;
  return {
    binary: cut(history.binary as never) as Curves,
    twin: cut(history.twin as never) as Curves,
    angles: cut(history.angles as never),
  };
}

const smoothed = (before: number, now: number) => (before === 0 ? now : 0.8 * before + 0.2 * now);
