/**
 * What leaves comes back: networks that were trained here, saved in every format with one call, and read through every door,
 * give the labels and the accuracy of the training, from bytes and without being told anything.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dataset, takeFirst } from '../src/data/index.ts';
import { OptionError } from '../src/errors.ts';
import {
  encodeBnnPynq,
  type LoadedModel,
  type ModelSource,
  SAVE_FORMATS,
  type SaveFormat,
  saveModel,
  saveTraining as trainingBytes,
} from '../src/formats/index.ts';
import {
  apply,
  input,
  isPacked,
  type Model,
  model,
  Network,
  type ParameterValues,
  packedValue,
  sequential,
} from '../src/graph/index.ts';
import {
  add,
  batchNormalization,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  prelu,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  sigmoid,
} from '../src/layers/index.ts';
import { loadDataset, loadModel, saveTraining } from '../src/node/index.ts';
import { encodePixels } from '../src/run/index.ts';
import { Trainer } from '../src/train/index.ts';
import { tfc } from '../src/zoo/index.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { useGpu } from './helpers/gpu.ts';

const IMAGES = 500;
const SHAPE = [28, 28, 1] as const;
const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const FIRST = { kernelQuantizer: 'steSign' } as const;

function residual(): Model {
  const start = input(SHAPE);
  const first = apply(quantConv2d({ filters: 32, kernelSize: 5, strides: 4, ...FIRST }), start);
  const x = apply(prelu(), apply(batchNormalization(), first));
  const conv = apply(quantConv2d({ filters: 32, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }), x);
  const y = apply(prelu(), apply(batchNormalization(), conv));
  const pooled = apply(globalAveragePool2d(), apply(add(), x, y));
  const output = apply(quantDense({ units: 10, ...FIRST }), apply(batchNormalization(), pooled));
  return model({ input: start, output: apply(batchNormalization(), output), name: 'residual' });
}

const NETWORKS: Readonly<Record<string, () => Model>> = {
  mlp: () =>
    sequential(
      [
        flatten(),
        quantDense({ units: 64, ...FIRST }),
        batchNormalization(),
        quantDense({ units: 64, ...BINARY }),
        batchNormalization(),
        quantDense({ units: 10, ...BINARY }),
        batchNormalization(),
      ],
      { input: SHAPE, name: 'mlp' },
    ),
  cnn: () =>
    sequential(
      [
        quantConv2d({ filters: 16, kernelSize: 3, strides: 2, ...FIRST }),
        batchNormalization(),
        quantConv2d({ filters: 32, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }),
        maxPool2d({ poolSize: 2 }),
        batchNormalization(),
        flatten(),
        quantDense({ units: 10, ...BINARY }),
        batchNormalization(),
      ],
      { input: SHAPE, name: 'cnn' },
    ),
  depthwise: () =>
    sequential(
      [
        quantConv2d({ filters: 32, kernelSize: 5, strides: 3, ...FIRST }),
        batchNormalization(),
        quantDepthwiseConv2d({ kernelSize: 3, inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' }),
        batchNormalization(),
        flatten(),
        quantDense({ units: 10, ...BINARY }),
        batchNormalization(),
      ],
      { input: SHAPE, name: 'depthwise' },
    ),
  'residual with PReLU': residual,
  // What the boards of BNN-PYNQ run.
  tfc: () => tfc({ input: SHAPE, classes: 10 }),
  // Digits from 5 up against the others.
  'one-output sigmoid': () =>
    sequential(
      [
        flatten(),
        quantDense({ units: 64, ...FIRST }),
        batchNormalization(),
        quantDense({ units: 2, ...BINARY }),
        batchNormalization(),
      ],
      { input: SHAPE, name: 'sigmoid' },
    ),
};

/** What goes through every door: how a file comes in has nothing to do with the layers in it. */
const THROUGH_ALL_DOORS =
  process.env.WEBGPU_BNN_MATRIX === 'whole' ? Object.keys(NETWORKS) : ['mlp', 'one-output sigmoid'];

/** A trained network, and what it says of the images. */
interface Original {
  readonly model: Model;
  readonly values: ParameterValues;
  readonly classes: readonly string[];
  readonly labels: readonly number[];
  readonly accuracy: number;
}

let cli = '';
let folder = '';
let server: Server;
let base = '';
let digits: Dataset;
const originals = new Map<string, Original>();
const files = new Map<string, string>();
const gpu = useGpu();

beforeAll(async () => {
  cli = await buildCli();
  // A folder that breaks paths which are taken for URLs, and URLs which are taken for paths.
  folder = join(mkdtempSync(join(tmpdir(), 'webgpu-bnn-round-')), 'a folder #1 100%');
  mkdirSync(folder);
  server = createServer((request, response) => {
    response.end(readFileSync(join(folder, decodeURIComponent(request.url ?? '').slice(1))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  digits = takeFirst(await loadDataset('mnist'), 300, IMAGES);
});
afterAll(() => {
  server.close();
  rmSync(dirname(folder), { recursive: true, force: true });
});

/** Trains a network for a few steps and saves it in all formats. */
async function original(name: string): Promise<Original> {
  const known = originals.get(name);
  if (known !== undefined) return known;
  const build = NETWORKS[name];
  if (build === undefined) throw new Error(name);
  const isPair = name === 'one-output sigmoid';
  const classes = isPair ? ['small', 'large'] : digits.classes;
  const data = isPair
    ? { ...digits, classes, train: halves(digits.train), test: halves(digits.test) }
    : digits;
  using trainer = await Trainer.create(gpu(), build(), data, { batch: 50, epochs: 1, seed: 3 });
  await trainer.fit();
  const trained = await trainer.trained();
  const { model, values } = isPair ? withSigmoid(trained) : trained;
  for (const format of SAVE_FORMATS) {
    const file = join(folder, `${name}.${format}`);
    files.set(`${name} ${format}`, file);
    try {
      if (isPair) writeFileSync(file, await saveModel(format, model, values, trained));
      else await saveTraining(trainer, file);
    } catch (cause) {
      // Shows in the test of this format alone.
      console.error(cause);
    }
  }
  const scores = await trainer.predict(encodePixels(data.test.images, SHAPE, data.normalise));
  const labels = Array.from({ length: IMAGES }, (_, image) => {
    const row = [...scores.subarray(image * classes.length, (image + 1) * classes.length)];
    return isPair ? Number((row[1] ?? 0) >= 0) : row.indexOf(Math.max(...row));
  });
  const accuracy = isPair
    ? labels.filter((label, image) => label === data.test.labels[image]).length / IMAGES
    : (await trainer.evaluate()).accuracy;
  const result = { model, values, classes, labels, accuracy };
  originals.set(name, result);
  return result;
}

/** Digits from 5 up as class 1. */
function halves(split: Dataset['test']): Dataset['test'] {
  return { ...split, labels: split.labels.map((digit) => Number(digit >= 5)) };
}

/** The second of two outputs alone, with a sigmoid after it. */
function withSigmoid({ model: source, values }: Pick<Original, 'model' | 'values'>) {
  const end = [quantDense({ units: 1, ...BINARY }), batchNormalization(), sigmoid()];
  const layers = [...source.layers.slice(0, -2).map(({ layer }) => layer), ...end];
  const cut = sequential(layers, { input: source.inputShape, name: source.name });
  const kept = cut.layers.flatMap(({ name, parameters }) =>
    parameters.map((spec) => {
      const key = `${name}/${spec.name}`;
      const value = values.get(key);
      if (!(value instanceof Float32Array)) throw new Error(key);
      const size = spec.shape.reduce((product, extent) => product * extent, 1);
      return [key, value.slice(value.length - size)] as const;
    }),
  );
  return { model: cut, values: new Map(kept) };
}

/** The same file through every door of the API. */
function doorsOf(file: string, format: SaveFormat): Record<string, ModelSource> {
  const bytes = readFileSync(file);
  // A view in the midst of another buffer, as pooled Buffers are, at an odd place.
  const pooled = Buffer.concat([Buffer.from('pad'), bytes, Buffer.from('pad')]).subarray(3, 3 + bytes.length);
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  const name = file.slice(file.lastIndexOf('/') + 1);
  const zip = (level: 0 | 9) => {
    const path = `${file}.${level}.zip`;
    writeFileSync(path, zipSync({ [`deep/x.${format}`]: bytes }, { level }));
    return path;
  };
  return {
    path: file,
    'file URL': pathToFileURL(file),
    'file URL in capitals': pathToFileURL(file).href.replace('file:', 'FILE:'),
    Buffer: pooled,
    'shared memory': new Uint8Array(shared),
    URL: `${base}/${encodeURIComponent(name)}`,
    'URL in capitals': `${base.replace('http:', 'HTTP:')}/${encodeURIComponent(name)}`,
    'zip, stored': zip(0),
    'zip, deflated': zip(9),
    Blob: new Blob([new Uint8Array(bytes)]),
  };
}

/** Everything that decides what a loaded network does. */
function essence({ model, values, classes, pixels, producer, layout }: LoadedModel) {
  const layers = model.layers.map(({ name, layer, inputs }) => ({
    name,
    kind: layer.kind,
    inputs,
    config: layer.config,
  }));
  return { layers, values: new Map(values), classes, pixels, producer, layout };
}

/** The rows of all binary weights, each as its bits or their complement, whichever has +1 first: formats may negate a filter. */
function rowsOf({ layers }: Model, values: ParameterValues): string[] {
  return layers.flatMap(({ name, parameters }) =>
    parameters.flatMap((spec) => {
      const key = `${name}/${spec.name}`;
      const value = values.get(key);
      if (spec.role !== 'binary' || value === undefined) return [];
      const { words } = isPacked(value) ? value : packedValue(value, spec.shape, key);
      const last = spec.shape.at(-1) ?? 1;
      const perRow = Math.ceil(last / 32);
      const bits = Array.from({ length: (words.length / perRow) * last }, (_, i) => {
        const column = i % last;
        return ((words[Math.floor(i / last) * perRow + (column >> 5)] ?? 0) >>> (column & 31)) & 1;
      });
      const filters = spec.shape[0] ?? 1;
      const size = bits.length / filters;
      return Array.from({ length: filters }, (_, filter) => {
        const row = bits.slice(filter * size, (filter + 1) * size);
        return row.map((bit) => bit ^ (row[0] ?? 0)).join('');
      });
    }),
  );
}

describe.each(Object.keys(NETWORKS))('%s', (name) => {
  const everyDoor = THROUGH_ALL_DOORS.includes(name);
  test.each([...SAVE_FORMATS])(`as %s${everyDoor ? ', through every door' : ''}`, async (format) => {
    const { model, values, classes, labels, accuracy } = await original(name);
    expect(new Set(labels).size).toBeGreaterThan(1);
    const file = files.get(`${name} ${format}`) ?? '';

    const loaded = await loadModel(file);
    expect(loaded.classes).toEqual(classes);
    expect(loaded.producer).toBe('webgpu-bnn');
    expect(loaded.layout).toBe(format === 'onnx' ? 'NCHW' : 'NHWC');
    using classifier = await loaded.createClassifier(gpu());
    const { results } = await classifier.classify(digits.test.images, { top: 1 });
    expect(results.map(([best]) => best?.label)).toEqual(labels);
    const truth = classes.length === 2 ? halves(digits.test).labels : digits.test.labels;
    expect(results.filter(([best], image) => best?.label === truth[image]).length / IMAGES).toBe(accuracy);

    for (const [door, source] of Object.entries(everyDoor ? doorsOf(file, format) : {})) {
      expect(essence(await loadModel(source)), door).toEqual(essence(loaded));
    }

    // As they were stored: folding may negate filters of its own.
    const stored = await loadModel(file, { fold: false });
    expect(rowsOf(stored.model, stored.values)).toEqual(rowsOf(model, values));
    using unfolded = await Network.create(gpu(), stored.model, { values: stored.values, forInference: true });
    expect(unfolded.model.outputShape).toEqual(model.outputShape);
    if (!everyDoor) return;

    const args = ['run', file, '--dataset', 'mnist', '--samples', `${IMAGES}`, '--top', '1', '--json'];
    const { code, stdout, stderr } = await runCli(cli, args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const printed = JSON.parse(stdout) as { accuracy: number; results: { label: number; name: string }[][] };
    expect(printed.results.map(([best]) => best?.label)).toEqual(labels);
    expect(printed.results[0]?.[0]?.name).toBe(classes[labels[0] ?? 0]);
    if (classes.length === 10) expect(printed.accuracy).toBe(accuracy);
  });
});

test('tfc as a folder of BNN-PYNQ, through every door that a folder has', async () => {
  const { model, values, classes, labels, accuracy } = await original('tfc');
  const names = encodeBnnPynq(model, values, { classes, pixels: '-1:1' });
  const out = join(folder, 'tfc folder');
  mkdirSync(out);
  for (const [name, bytes] of names) writeFileSync(join(out, name), bytes);
  const read = (name: string) => readFileSync(join(out, name));
  const all = [...names.keys()];
  const zip = (level: 0 | 9) => {
    const path = join(folder, `tfc.${level}.zip`);
    writeFileSync(
      path,
      zipSync(Object.fromEntries(all.map((name) => [`tfc/${name}`, read(name)])), { level }),
    );
    return path;
  };
  const doors: Record<string, ModelSource> = {
    path: out,
    'file URL': pathToFileURL(out),
    paths: all.map((name) => join(out, name)),
    URLs: all.map((name) => `${base}/tfc%20folder/${name}`),
    Buffers: new Map(all.map((name) => [name, Buffer.concat([Buffer.from('x'), read(name)]).subarray(1)])),
    Files: all.map((name) => new File([new Uint8Array(read(name))], name)),
    'zip, stored': zip(0),
    'zip, deflated': zip(9),
  };
  const loaded = await loadModel(out);
  expect(loaded).toMatchObject({ format: 'BNN-PYNQ', producer: 'BNN-PYNQ', classes });
  for (const [door, source] of Object.entries(doors)) {
    expect(essence(await loadModel(source)), door).toEqual(essence(loaded));
  }
  using classifier = await loaded.createClassifier(gpu());
  const { results } = await classifier.classify(digits.test.images, { top: 1 });
  expect(results.map(([best]) => best?.label)).toEqual(labels);
  const args = ['run', out, '--dataset', 'mnist', '--samples', `${IMAGES}`, '--top', '1', '--json'];
  const printed = JSON.parse((await runCli(cli, args)).stdout) as {
    accuracy: number;
    results: { label: number }[][];
  };
  expect(printed.results.map(([best]) => best?.label)).toEqual(labels);
  expect(printed.accuracy).toBe(accuracy);
});

test('saveTraining gives bytes for a format, and refuses an ending that is not written', async () => {
  const build = NETWORKS.mlp;
  using trainer = await Trainer.create(gpu(), build?.() ?? residual(), digits, { batch: 50, epochs: 1 });
  for (const format of SAVE_FORMATS) {
    const file = join(folder, `again.${format.toUpperCase()}`);
    const written = await saveTraining(trainer, file, { producer: 'a test' });
    expect(new Uint8Array(readFileSync(file))).toEqual(written);
    expect(await trainingBytes(trainer, format, { producer: 'a test' })).toEqual(written);
    expect(await saveTraining(trainer, format, { producer: 'a test' })).toEqual(written);
    expect((await loadModel(written)).producer).toBe('a test');
  }
  for (const wrong of ['model.gguf', 'gguf', 'model']) {
    await expect(saveTraining(trainer, join(folder, wrong))).rejects.toThrow(OptionError);
  }
  const other = saveTraining(trainer, 'onnx');
  await expect(saveTraining(trainer, 'onnx')).rejects.toThrow(/busy/);
  await other;
});
