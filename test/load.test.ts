/** `loadModel`: from bytes, URLs, folders and archives to classes, whatever the files are called. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inflateSync, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseIdx } from '../src/data/index.ts';
import {
  DataUnavailableError,
  FormatError,
  LayerNotRunError,
  OptionError,
  ShapeError,
  StorageError,
  WebGpuUnavailableError,
} from '../src/errors.ts';
import {
  bnnPynqFiles,
  decodeCheckpoint,
  decodeModel,
  decodeSafetensors,
  encodeCheckpoint,
  encodeModel,
  encodeSafetensors,
  loadModel as fetchModel,
  type LoadProgress,
  type ModelFile,
  readBnnPynq,
  readZip,
  saveModel,
} from '../src/formats/index.ts';
import { readZipWith } from '../src/formats/zip.ts';
import { foldForInference, initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  type Activation,
  batchNormalization,
  type ForwardContext,
  flatten,
  type Layer,
  type LayerFactory,
  quantDense,
  relu,
} from '../src/layers/index.ts';
import { loadModel } from '../src/node/index.ts';
import { rankClasses } from '../src/run/classes.ts';
import {
  Classifier,
  type Engine,
  encodePixels,
  PIXEL_RANGES,
  type RunsOn,
  rangeName,
} from '../src/run/index.ts';
import { chosenPixels, rangeOfGrid } from '../src/run/pixels.ts';
import { cnn } from '../src/zoo/index.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const LFC = join(FIXTURES, 'bnn-pynq', 'mnist-lfcW1A1');
const QONNX = join(FIXTURES, 'qonnx-tfc', 'TFC_1W1A.onnx');
const read = (...path: string[]) => new Uint8Array(readFileSync(join(...path)));
const three = () => parseIdx(read(FIXTURES, 'bnn-pynq', '3.image-idx3-ubyte'), 'three').data;
const lfcFiles = () => new Map(readdirSync(LFC).map((name) => [name, read(LFC, name)]));

const source = cnn({ input: [28, 28, 1], classes: 10 });
const own = encodeModel(source, initialValues(source, 4), { pixels: PIXEL_RANGES['-1:1'] });

let server: Server;
let base = '';
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-load-'));
  server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    if (path === '/own') response.setHeader('content-length', own.length).end(own);
    else if (path === '/unsized')
      response.write(own.subarray(0, 1000), () => response.end(own.subarray(1000)));
    else if (path === '/page')
      response.setHeader('content-type', 'text/html; charset=utf-8').end('<!doctype html>');
    else if (path === '/cut') {
      response.setHeader('content-length', own.length).write(own.subarray(0, 1000), () => response.destroy());
    } else if (path.startsWith('/lfc/')) response.end(readFileSync(join(LFC, path.slice(5))));
    else response.writeHead(404, 'Not Found').end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('BNN-PYNQ', () => {
  const gpu = useGpu();

  test('the same three from a folder, a list of URLs, a zip, and a list of files', async () => {
    const urls = bnnPynqFiles('LFC').map((name) => `${base}/lfc/${name}`);
    const zip = zipSync(Object.fromEntries([...lfcFiles()].map(([name, bytes]) => [`mnist/${name}`, bytes])));
    writeFileSync(join(folder, 'lfc.zip'), zip);
    const blobs = [...lfcFiles()].map(([name, bytes]) => new File([bytes], name));
    const all: Float32Array[] = [];
    for (const source of [LFC, urls, join(folder, 'lfc.zip'), new Uint8Array(zip), blobs, lfcFiles()]) {
      const loaded = await loadModel(source);
      expect(loaded.format).toBe('BNN-PYNQ');
      using classifier = await loaded.createClassifier(gpu());
      const { results, scores, millisecondsPerImage } = await classifier.classify(three(), { top: 2 });
      expect(results).toEqual([
        [
          { label: 3, name: loaded.classes?.[3], score: 4 },
          expect.objectContaining({ score: expect.any(Number) }),
        ],
      ]);
      expect(millisecondsPerImage).toBeGreaterThan(0);
      all.push(scores);
    }
    for (const scores of all) expectSame(scores, all[0] ?? []);
  });
});

describe('from a server', () => {
  test('progress adds up to the size of the file', async () => {
    const reports: LoadProgress[] = [];
    const loaded = await loadModel(`${base}/own?v=2`, { onProgress: (progress) => reports.push(progress) });
    expect(loaded.format).toBe('webgpu-bnn');
    expect(loaded.bytes).toBe(own.length);
    expect(reports.at(-1)).toEqual({ received: own.length, total: own.length });
    expect(reports[0]).toEqual({ received: 0, total: own.length });
    expect(reports.every(({ received }, i) => i === 0 || received >= (reports[i - 1]?.received ?? 0))).toBe(
      true,
    );
  });

  test('a total that a server does not say is undefined until the end', async () => {
    const reports: LoadProgress[] = [];
    await loadModel(new URL(`${base}/unsized`), { onProgress: (progress) => reports.push(progress) });
    expect(reports[0]).toEqual({ received: 0, total: undefined });
    expect(reports.at(-1)).toEqual({ received: own.length, total: own.length });
  });

  test.each([
    ['a file that is not there', '/nowhere', DataUnavailableError, /404 Not Found/],
    ['a page instead of a model', '/page', FormatError, /web page instead/],
    ['a connection that breaks', '/cut', DataUnavailableError, /broke[\s\S]*bytes of/],
  ])('%s', async (_, path, kind, message) => {
    const loading = loadModel(`${base}${path}`);
    await expect(loading).rejects.toThrow(kind);
    await expect(loading).rejects.toThrow(message);
  });

  test('a server that is not there, and a call that is aborted', async () => {
    await expect(loadModel('http://127.0.0.1:1/model')).rejects.toThrow(DataUnavailableError);
    // The entry for pages knows no paths.
    await expect(fetchModel('models/mine.onnx')).rejects.toThrow(/in Node[\s\S]*webgpu-bnn\/node/);
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(loadModel(`${base}/own`, { signal })).rejects.toThrow('no more');
  });

  test('one missing file of a list', async () => {
    const urls = [`${base}/lfc/classes.txt`, `${base}/gone.bin`, `${base}/own`];
    await expect(loadModel(urls)).rejects.toThrow(/gone\.bin[\s\S]*404/);
  });
});

describe('what a file is shows in its content', () => {
  test("a TensorFlow Lite file, an ONNX file, this library's own, and either of them in a zip, under odd names", async () => {
    const lite = await saveModel('tflite', source, initialValues(source, 4));
    for (const [bytes, format] of [
      [lite, 'TFLite'],
      [read(QONNX), 'ONNX'],
      [own, 'webgpu-bnn'],
    ] as const) {
      const readme = new TextEncoder().encode('Binary networks, read me.');
      const zip = new Uint8Array(zipSync({ 'README.md': readme, 'deep/x.dat': bytes }));
      for (const given of [bytes, zip, bytes.buffer.slice(0), new Blob([zip])]) {
        const loaded = await loadModel(given);
        expect(loaded.format).toBe(format);
        expect(loaded.model.outputShape).toEqual([10]);
      }
    }
  });

  test('a path, a file URL, and a folder with one model in it', async () => {
    const inside = join(folder, 'one');
    mkdirSync(inside);
    writeFileSync(join(inside, 'm.safetensors'), own);
    writeFileSync(join(inside, 'notes.txt'), 'x');
    for (const given of [
      join(inside, 'm.safetensors'),
      pathToFileURL(join(inside, 'm.safetensors')),
      inside,
    ]) {
      expect((await loadModel(given)).format).toBe('webgpu-bnn');
    }
    writeFileSync(join(inside, 'n.onnx'), read(QONNX));
    await expect(loadModel(inside)).rejects.toThrow(/several models[\s\S]*m\.safetensors, n\.onnx/);
    await expect(loadModel(folder.replace(/-load-.*/, '-nothing-here'))).rejects.toThrow(StorageError);
    mkdirSync(join(folder, 'empty'));
    await expect(loadModel(join(folder, 'empty'))).rejects.toThrow(/no model in this folder/);
  });

  const text = (value: string) => new TextEncoder().encode(value);
  test.each<[string, Uint8Array<ArrayBuffer>, RegExp]>([
    ['nothing', new Uint8Array(), /an empty file/],
    ['weights of MXNet', new Uint8Array([0x12, 1, 0, 0, 0, 0, 0, 0, 9, 9]), /MXNet[\s\S]*as ONNX/],
    [
      'a pickle of PyTorch',
      new Uint8Array([0x80, 2, 0x8a, 10, 0x6c, 0xfc]),
      /PyTorch[\s\S]*torch\.onnx\.export/,
    ],
    [
      'a zip of PyTorch, one of whose tensors begins as ONNX does',
      new Uint8Array(
        zipSync({ 'net/data.pkl': new Uint8Array([0x80, 2]), 'net/data/0': new Uint8Array([8, 9, 18]) }),
      ),
      /PyTorch[\s\S]*torch\.onnx\.export/,
    ],
    ['a file of Keras', new Uint8Array([0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10]), /Keras[\s\S]*tflite/],
    [
      'a newer file of Keras',
      new Uint8Array(zipSync({ 'config.json': text('{}'), 'model.weights.h5': new Uint8Array(9) })),
      /Keras[\s\S]*tflite/,
    ],
    ['a SavedModel', new Uint8Array([8, 1, 0x12, 20, 10, 2, 0x2a, 0]), /SavedModel[\s\S]*tf2onnx/],
    ['a frozen graph', new Uint8Array([10, 9, 10, 1, 0x78, 0x12, 2, 0x61, 0x62]), /TensorFlow[\s\S]*tf2onnx/],
    [
      'arrays of NumPy',
      new Uint8Array(zipSync({ 'a.npy': text('x'), 'b.npy': new Uint8Array([8, 9]) })),
      /NumPy[\s\S]*as ONNX/,
    ],
    ['one array of NumPy', text('\u0093NUMPY').subarray(1), /NumPy/],
    ['a GGUF file', text('GGUF\u0003'), /GGUF[\s\S]*as ONNX/],
    ['a model of TensorFlow.js', text('{"format": "graph-model"}'), /TensorFlow\.js[\s\S]*tfjs/],
    ['a model of ONNX Runtime', text('\u0001\u0001\u0001\u0001ORTM'), /\.ort[\s\S]*\.onnx file/],
    ['a network of OpenVINO', text('<?xml version="1.0"?><net name="x">'), /OpenVINO/],
    [
      'tensors of others',
      encodeSafetensors({ w: { dtype: 'F32', shape: [1], data: new Float32Array(1) } }),
      /no model of webgpu-bnn[\s\S]*as ONNX/,
    ],
    ['a web page', text('  <!DOCTYPE html><html></html>'), /a web page/],
    ['a pointer of Git LFS', text('version https://git-lfs.github.com/spec/v1\n'), /Git LFS/],
    ['a gzip archive', new Uint8Array([0x1f, 0x8b, 8, 0]), /gzip/],
    ['a picture', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), /begin with 137 80/],
    [
      'an archive without a model',
      new Uint8Array(zipSync({ a: new Uint8Array(9), b: new Uint8Array(9) })),
      /2 files: a, b/,
    ],
    [
      'an archive in an archive',
      new Uint8Array(zipSync({ 'a.zip': zipSync({ m: own }) })),
      /archive in an archive/,
    ],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(loadModel(bytes)).rejects.toThrow(FormatError);
    await expect(loadModel(bytes)).rejects.toThrow(message);
  });
});

describe('bytes', () => {
  const views: Readonly<Record<string, (bytes: Uint8Array) => ModelFile>> = {
    'a Buffer of the pool': (bytes) => {
      const pooled = Buffer.concat([Buffer.from('x'), bytes, Buffer.from('yz')]);
      return pooled.subarray(1, 1 + bytes.length);
    },
    'a view at an odd place': (bytes) => {
      const wide = new Uint8Array(bytes.length + 8);
      wide.set(bytes, 3);
      return wide.subarray(3, 3 + bytes.length);
    },
    'a DataView': (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    'shared memory': (bytes) => {
      const shared = new SharedArrayBuffer(bytes.length);
      new Uint8Array(shared).set(bytes);
      return shared;
    },
  };
  test.each(Object.entries(views))('%s is read as what it shows', async (_, view) => {
    const stored = zipSync({ 'm.bin': own }, { level: 0 });
    for (const bytes of [own, read(QONNX), stored, zipSync({ 'm.bin': own })]) {
      const [expected, found] = [await loadModel(new Uint8Array(bytes)), await loadModel(view(bytes))];
      expect(found.values).toEqual(expected.values);
    }
    const given = view(own) as Uint8Array;
    expect(decodeModel(given).values).toEqual(decodeModel(own).values);
    const tensors = decodeSafetensors(given, 'view').tensors;
    expect(tensors).toEqual(decodeSafetensors(own, 'bytes').tensors);
    const progress = {
      step: 1,
      epoch: 0,
      batch: 1,
      lossSum: 0,
      correct: 0,
      count: 0,
      seconds: 0,
      history: [],
      fixed: {},
    };
    const w = { dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) } as const;
    const saved = encodeCheckpoint({ tensors: new Map([['w', w]]), progress });
    expect(decodeCheckpoint(view(saved) as Uint8Array, 'view').checkpoint.tensors.get('w')).toEqual(w);
    expect((await readZip(view(stored) as Uint8Array)).get('m.bin')).toEqual(own);
    const folder = new Map([...lfcFiles()].map(([name, bytes]) => [name, view(bytes) as Uint8Array]));
    expect(readBnnPynq(folder).values).toEqual(readBnnPynq(lfcFiles()).values);
  });

  test('what is no bytes at all is refused', async () => {
    for (const given of [7, null, undefined, {}]) {
      await expect(loadModel(given as unknown as Uint8Array)).rejects.toThrow(OptionError);
    }
  });
});

describe('paths', () => {
  test('names that look like URLs, and URLs that look like paths', async () => {
    const odd = join(folder, 'a #1 100% (x) ü');
    mkdirSync(odd);
    const file = join(odd, 'm?.bin');
    writeFileSync(file, own);
    const url = pathToFileURL(file).href;
    for (const given of [
      file,
      url,
      url.replace('file:', 'FILE:'),
      new URL(url),
      [file],
      base.replace('http', 'HTTP'),
    ]) {
      const source = given === base.replace('http', 'HTTP') ? `${given}/own` : given;
      expect((await loadModel(source)).format).toBe('webgpu-bnn');
    }
    for (const given of ['file://host/x.onnx', 'FILE://HOST/x', 'file:///a%2Fb']) {
      await expect(loadModel(given)).rejects.toThrow(OptionError);
      await expect(loadModel(given)).rejects.toThrow(/names no file of this machine/);
    }
  });

  test('a folder with a network of another system says what to do', async () => {
    const saved = join(folder, 'saved');
    mkdirSync(saved);
    writeFileSync(join(saved, 'saved_model.pb'), new Uint8Array([8, 1, 0x12, 20, 10, 2, 0x2a, 0]));
    await expect(loadModel(saved)).rejects.toThrow(/SavedModel[\s\S]*tf2onnx/);
  });
});

describe('layers of a guest', () => {
  const gpu = useGpu();

  /** A class with private fields, whose config is a getter: nothing of it survives spreading. */
  class Clip implements Layer {
    static readonly kind = 'acme.clip';
    readonly kind = Clip.kind;
    readonly name: string | undefined;
    readonly #limit: number;
    constructor(options: { readonly limit: number; readonly name?: string }) {
      this.#limit = options.limit;
      this.name = options.name;
    }
    get config() {
      return { limit: this.#limit };
    }
    outputShape(inputs: readonly (readonly number[])[]) {
      return inputs[0] ?? [];
    }
    parameters() {
      return [];
    }
    forward(context: ForwardContext, inputs: readonly Activation[]) {
      return relu({ minimum: -this.#limit, maximum: this.#limit }).forward(context, inputs);
    }
  }
  const clip = { kind: 'acme.clip', make: (config: object) => new Clip(config as { limit: number }) };
  const make = (config: { readonly limit: number }) => new Clip(config);
  const clipFunction = Object.assign(make, { kind: 'acme.clip' });

  const network = sequential(
    [
      flatten(),
      quantDense({ units: 32, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
      new Clip({ limit: 0.25 }),
    ],
    { input: [4, 4, 1] },
  );
  const samples = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));

  test('are saved, and read with what makes them: a class, an object, a function', async () => {
    const values = initialValues(network, 2);
    const bytes = await saveModel('safetensors', network, values, { pixels: '0:1' });
    const file = join(folder, 'guest.safetensors');
    writeFileSync(file, bytes);
    using trained = await Network.create(gpu(), network, { values, forInference: true });
    const expected = await trained.predict(samples);
    expect(Math.max(...expected)).toBe(0.25);
    for (const guest of [Clip, clip, clipFunction]) {
      for (const fold of [true, false]) {
        const loaded = await loadModel(file, { with: [guest], fold });
        using classifier = await loaded.createClassifier(gpu());
        expectSame((await classifier.classify(samples)).scores, expected);
      }
      expect(decodeModel(bytes, 'bytes', { with: [guest] }).model.layers.at(-1)?.layer.kind).toBe(
        'acme.clip',
      );
    }
    // Folding takes a class's instance as it is.
    expect(foldForInference(network, values).model.layers.at(-1)?.layer.config).toEqual({ limit: 0.25 });
  });

  test('without them, the error names the kind and the option', async () => {
    const bytes = await saveModel('safetensors', network, initialValues(network, 2));
    await expect(loadModel(bytes)).rejects.toThrow(/acme\.clip[\s\S]*with: \[/);
    await expect(loadModel(bytes, { with: [{ kind: 'x' } as unknown as LayerFactory] })).rejects.toThrow(
      OptionError,
    );
    const liar = { kind: 'acme.clip', make: () => flatten() };
    await expect(loadModel(bytes, { with: [liar] })).rejects.toThrow(
      /something else than a layer of its kind/,
    );
  });
});

describe('folding', () => {
  test('is on, and says what it did', async () => {
    const folded = await loadModel(own);
    expect(folded.folded).toEqual(expect.arrayContaining(['norm2', 'norm3', 'norm4']));
    expect(folded.kept.map(({ name }) => name)).toContain('norm5');
    expect((await loadModel(own, { fold: false })).folded).toEqual([]);
  });
});

describe('pixels', () => {
  const gpu = useGpu();

  test('come as the file says, or as the caller says, a channel at a time', async () => {
    const loaded = await loadModel(own);
    const image = new Uint8Array(784).fill(255);
    expect(loaded.prepare(image)[0]).toBe(1);
    expect(loaded.prepare(image, '0:255')[0]).toBe(255);
    const encoding = { scale: [1, 2], shift: [0, -1], round: true, maximum: 20 };
    expect([...encodePixels(new Uint8Array([3, 4, 200, 9]), [2], encoding)]).toEqual([3, 7, 20, 17]);
    expect(() => loaded.prepare(new Uint8Array(783))).toThrow(ShapeError);
    expect(() => encodePixels(new Uint8Array(3), [3], encoding)).toThrow(ShapeError);
    expect(() => loaded.prepare(image, 'warm' as '0:1')).toThrow(OptionError);
  });

  test('where neither the file nor the caller says it, bytes are refused and floats are taken', async () => {
    const silent = await loadModel(encodeModel(source, initialValues(source, 4)));
    expect(silent.pixels).toBe(undefined);
    expect(() => silent.prepare(new Uint8Array(784))).toThrow(OptionError);
    using classifier = await silent.createClassifier(gpu());
    const bytes = new Uint8Array(784).fill(9);
    await expect(classifier.classify(bytes)).rejects.toThrow(/pixels: '0:1'[\s\S]*pixels: '-1:1'/);
    const floats = await classifier.classify(encodePixels(bytes, [28, 28, 1], PIXEL_RANGES['-1:1']));
    using told = await silent.createClassifier(gpu(), { pixels: '-1:1' });
    expectSame((await told.classify(bytes)).scores, floats.scores);
    expectSame((await classifier.classify(bytes, { pixels: '-1:1' })).scores, floats.scores);
  });

  test('the caller wins over the file, and a note says so', async () => {
    using classifier = await (await loadModel(own)).createClassifier(gpu());
    const bytes = new Uint8Array(784).fill(9);
    const [as, other] = [
      await classifier.classify(bytes),
      await classifier.classify(bytes, { pixels: '0:255' }),
    ];
    expect(as.notes).toEqual([]);
    expect(other.notes).toEqual([
      'the file says that it takes bytes as -1:1; 0:255 was taken, as the caller says',
    ]);
    expect([...other.scores]).not.toEqual([...as.scores]);
  });

  test('a classifier runs on any engine, which frees what it made', async () => {
    const loaded = await loadModel(own);
    using onGpu = await loaded.createClassifier(gpu());
    let made = 0;
    const engine: Engine = {
      name: 'mirror',
      async create(model, values) {
        made += 1;
        expect([model, values]).toEqual([loaded.model, loaded.values]);
        return onGpu.network;
      },
    };
    const bytes = new Uint8Array(784).fill(9);
    const elsewhere = await loaded.createClassifier({ engine }, { pixels: '0:1' });
    expect([made, elsewhere.engine, onGpu.engine]).toEqual([1, 'mirror', 'gpu']);
    const { scores } = await onGpu.classify(bytes, { pixels: '0:1' });
    expectSame((await elsewhere.classify(bytes)).scores, scores);
    for (const wrong of [{ engine: 'abacus' }, { engine: {} }, { engines: 'wasm' }, 7, null]) {
      await expect(loaded.createClassifier(wrong as never)).rejects.toThrow(OptionError);
    }
  });

  test('without a GPU networks run in WebAssembly, to the bit as on one, and say so', async () => {
    const loaded = await loadModel(lfcFiles());
    using onGpu = await loaded.createClassifier(gpu());
    const { scores } = await onGpu.classify(three());
    const runs: [RunsOn | undefined, string][] = [
      [undefined, 'wasm'],
      [{}, 'wasm'],
      [{ threads: 1 }, 'wasm'],
      [{ engine: 'wasm' }, 'wasm'],
      [{ engine: 'wasm', threads: 2 }, 'wasm'],
    ];
    for (const [on, engine] of runs) {
      using classifier = await loaded.createClassifier(on);
      expect(classifier.engine).toBe(engine);
      expect([...(await classifier.classify(three())).scores]).toEqual([...scores]);
    }
    // There is no navigator.gpu in Node.
    await expect(loaded.createClassifier({ engine: 'gpu' })).rejects.toThrow(WebGpuUnavailableError);
    await expect(loaded.createClassifier({ engine: 'wasm', threads: 1.5 })).rejects.toThrow(OptionError);
  });

  test('what is chosen by itself: hardware by WebGPU, else the processor, else WebGPU in software', async () => {
    const loaded = await loadModel(lfcFiles());
    let requested = 0;
    /** An adapter without a device. */
    const offer = (isFallbackAdapter: boolean) => {
      const info = {
        ...{ vendor: 'acme', architecture: 'one', device: '', description: '' },
        isFallbackAdapter,
      };
      const requestDevice = () => Promise.reject(new Error('a device was asked for'));
      const requestAdapter = async () => {
        requested += 1;
        return { info, limits: {}, features: new Set(), requestDevice };
      };
      vi.stubGlobal('navigator', { gpu: { requestAdapter } });
    };
    try {
      offer(false);
      await expect(loaded.createClassifier()).rejects.toThrow('a device was asked for');
      offer(true);
      using onProcessor = await loaded.createClassifier();
      expect([onProcessor.engine, requested]).toEqual(['wasm', 2]);
      // A layer of a guest's runs on a GPU alone.
      const layers = loaded.model.layers.map((entry) => ({
        ...entry,
        layer: { ...entry.layer, kind: 'mine' },
      }));
      const guest = { ...loaded, model: { ...loaded.model, layers } };
      await expect(Classifier.create({}, guest)).rejects.toThrow('a device was asked for');
      expect(requested).toBe(4);
      await expect(Classifier.create({ engine: 'wasm' }, guest)).rejects.toThrow(LayerNotRunError);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('a range by name is what is saved, and files of version 0.1 are read', async () => {
    const notes = { pixels: '-1:1', classes: ['a', 'b'], producer: 'someone' } as const;
    const bytes = await saveModel('safetensors', source, initialValues(source, 4), notes);
    const loaded = await loadModel(bytes);
    expect(loaded).toMatchObject({ ...notes, pixels: PIXEL_RANGES['-1:1'], layout: 'NHWC' });
    const { tensors, metadata } = decodeSafetensors(bytes, 'now');
    const { kind, version, model } = metadata;
    const old = encodeSafetensors(Object.fromEntries(tensors), {
      ...{ kind: kind ?? '', version: version ?? '', model: model ?? '' },
      ...{ classes: '["a","b"]', pixels: '{"scale":[1],"shift":[0]}' },
    });
    expect(await loadModel(old)).toMatchObject({ classes: ['a', 'b'], pixels: PIXEL_RANGES['0:255'] });
  });

  test('a grid of integers says its range of reals, where it is one of the usual', () => {
    expect(rangeOfGrid({ scale: 1 / 255, zeroPoint: -128 })).toBe('0:1');
    expect(rangeOfGrid({ scale: 2 / 255, zeroPoint: -1 })).toBe('-1:1');
    expect(rangeOfGrid({ scale: 1, zeroPoint: -128 })).toBe('0:255');
    expect(rangeOfGrid({ scale: 0.02, zeroPoint: 3 })).toBe(undefined);
    const given = { pixels: undefined, grid: { scale: 2 / 255, zeroPoint: -1 } };
    expect([...encodePixels(new Uint8Array([0, 128, 255]), [3], chosenPixels(given, '-1:1'))]).toEqual([
      -128, 0, 127,
    ]);
    // Numbers are those that the network takes.
    expect(chosenPixels(given, PIXEL_RANGES['0:255'])).toEqual(PIXEL_RANGES['0:255']);
  });

  test('an encoding that has a name is called by it', () => {
    expect(rangeName({ scale: [2 / 255, 2 / 255], shift: [-1, -1] })).toBe('-1:1');
    expect(rangeName(PIXEL_RANGES['0:1'])).toBe('0:1');
    expect(rangeName({ scale: [2], shift: [-255], minimum: -1, maximum: 1 })).toBe(undefined);
    expect(rangeName({ scale: [3], shift: [0] })).toBe(undefined);
  });

  test('classes are ranked by score, ties by label', () => {
    const ranked = rankClasses(new Float32Array([1, 5, 5, 0, 2, 1]), 3, { top: 2, classes: ['a', 'b'] });
    expect(ranked.map((best) => best.map(({ name }) => name))).toEqual([
      ['b', '2'],
      ['b', '2'],
    ]);
    const pair = rankClasses(new Float32Array([0.25, 0.5, 2]), 1, { classes: ['no', 'yes'], pairFrom: 0.5 });
    expect(pair.map(([best]) => best?.name)).toEqual(['no', 'yes', 'yes']);
    expect(pair[0]).toEqual([
      { label: 0, name: 'no', score: 0.75 },
      { label: 1, name: 'yes', score: 0.25 },
    ]);
    expect(() => rankClasses(new Float32Array(4), 3)).toThrow(OptionError);
    expect(() => rankClasses(new Float32Array(3), 3, { top: 0 })).toThrow(OptionError);
  });
});

describe('archives', () => {
  const files = { 'a.bin': new Uint8Array(5000).map((_, i) => i % 7), 'b/c.txt': new Uint8Array([1, 2, 3]) };
  const good = new Uint8Array(zipSync(files));

  test('every file comes back, stored or deflated, empty ones too', async () => {
    for (const level of [0, 9] as const) {
      const zip = zipSync({ ...files, empty: new Uint8Array(), folder: {} }, { level });
      const back = await readZip(new Uint8Array(zip));
      expect(Object.fromEntries(back)).toEqual({ ...files, empty: new Uint8Array() });
    }
  });

  const change = (at: number, ...bytes: number[]) => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  const directory = () => {
    const view = new DataView(good.buffer);
    return view.getUint32(good.length - 22 + 16, true);
  };
  test.each<[string, () => Uint8Array<ArrayBuffer>, RegExp]>([
    ['cut off', () => good.slice(0, -30), /no directory/],
    ['a changed byte', () => change(60, (good[60] ?? 0) ^ 1), /can't be read/],
    ['an encrypted file', () => change(directory() + 8, 1), /encrypted/],
    ['another compression', () => change(directory() + 10, 12), /compression 12/],
    ['a size that deflate cannot reach', () => change(directory() + 24, 255, 255, 255, 63), /bytes in/],
    ['a size that is too small', () => change(directory() + 24, 9, 0), /checksum/],
    ['a file that begins nowhere', () => change(directory() + 42, 255, 255, 255, 0), /no file at offset/],
    ['more files than there are', () => change(good.length - 12, 9), /of 9 files/],
    ['a directory beyond the end', () => change(good.length - 6, 255, 255), /a directory of/],
    ['zip64', () => change(good.length - 12, 255, 255), /of 65535 files/],
    ['several parts', () => change(good.length - 18, 1), /several parts/],
  ])('%s', (_, make, message) => {
    const bytes = make();
    const reading = () => readZipWith(inflateSync, bytes, 'test');
    expect(reading).toThrow(FormatError);
    expect(reading).toThrow(message);
  });
});
