/**
 * `.tflite` files as people hand them in: a path in a folder whose name has a space, a Buffer, a part of a pool at an odd
 * place, zip archives. A `slice` of a Node `Buffer` is a view, so that bytes which were made on the spot show nothing.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { exportTflite, importTflite } from '../src/formats/tflite/index.ts';
import { apply, initialValues, input, model, Network, sequential } from '../src/graph/index.ts';
import {
  add,
  batchNormalization,
  conv2d,
  flatten,
  prelu,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
  sigmoid,
} from '../src/layers/index.ts';
import { loadModel } from '../src/node/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { expectClose, expectSame, useGpu } from './helpers/gpu.ts';

const folder = mkdtempSync(join(tmpdir(), 'tflite on disk '));
afterAll(() => rmSync(folder, { recursive: true }));

const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
/** Residuals of binary convolutions with PReLU, as ReActNet and its kin have them. */
function residual() {
  const x = input([8, 8, 6]);
  const block = (from: ReturnType<typeof input>) => {
    const sums = apply(
      quantConv2d({ filters: 6, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }),
      from,
    );
    return apply(prelu(), apply(add(), apply(batchNormalization(), sums), from));
  };
  const head = apply(quantDense({ units: 4, ...BINARY }), apply(flatten(), block(block(x))));
  return model({ input: x, output: apply(batchNormalization(), head), name: 'residual' });
}

const depthwise = sequential(
  [
    quantDepthwiseConv2d({
      kernelSize: 3,
      depthMultiplier: 2,
      padding: 'same',
      depthwiseQuantizer: 'steSign',
    }),
    batchNormalization(),
    quantDepthwiseConv2d({
      ...{
        kernelSize: 2,
        padding: 'same',
        padValue: -1,
        inputQuantizer: 'steSign',
        depthwiseQuantizer: 'steSign',
      },
    }),
    batchNormalization(),
    quantSeparableConv2d({
      ...{ filters: 5, kernelSize: 3, inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' },
      ...{ pointwiseQuantizer: 'steSign', useBias: true },
    }),
    flatten(),
  ],
  { input: [7, 6, 3], name: 'depthwise' },
);

const models = [
  mlp({ input: [8, 8, 1], classes: 10, units: 96 }),
  cnn({ input: [28, 28, 1], classes: 10 }),
  residual(),
  depthwise,
  sequential(
    [
      conv2d({ filters: 7, kernelSize: 3, strides: 2, useBias: true }),
      prelu(),
      quantConv2d({ filters: 5, kernelSize: 2, ...BINARY }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 1, ...BINARY, useBias: true }),
      sigmoid(),
    ],
    { input: [9, 9, 3], name: 'one output' },
  ),
];

describe.each(models.map((source) => [source.name, source] as const))('%s on disk', (name, source) => {
  const gpu = useGpu();
  const path = join(folder, `${name}.tflite`);
  const bytes = exportTflite(source, initialValues(source, 3));
  writeFileSync(path, bytes);
  const pool = Buffer.alloc(bytes.length + 4099, 0x5a);
  pool.set(bytes, 4097);
  for (const level of [0, 6] as const) {
    writeFileSync(`${path}.${level}.zip`, zipSync({ 'deep/model.tflite': [bytes, { level }] }));
  }

  test('a path, a Buffer, a part of a pool, a Blob and zip archives are the same network', async () => {
    const sources = {
      path,
      'file URL': pathToFileURL(path),
      Buffer: readFileSync(path),
      'part of a pool': pool.subarray(4097, 4097 + bytes.length),
      ArrayBuffer: bytes.buffer,
      Blob: new Blob([bytes]),
      'stored zip': `${path}.0.zip`,
      'deflated zip': `${path}.6.zip`,
      'Buffer of a stored zip': readFileSync(`${path}.0.zip`),
    };
    const size = source.inputShape.reduce((product, extent) => product * extent, 1);
    const samples = Float32Array.from({ length: 2 * size }, (_, i) => 2 * uniform01(1, 1, i) - 1);
    let expected: Float32Array | undefined;
    for (const [how, given] of Object.entries(sources)) {
      const loaded = await loadModel(given as string);
      expect(loaded.format, how).toBe('TFLite');
      using network = await Network.create(gpu(), loaded.model, { values: loaded.values });
      const scores = await network.predict(samples);
      expected ??= scores;
      expectSame(scores, expected, how);
    }
    using plain = await Network.create(gpu(), importTflite(bytes).model, {
      values: importTflite(bytes).values,
    });
    expectSame(await plain.predict(samples), expected ?? []);
    using trained = await Network.create(gpu(), source, { values: initialValues(source, 3) });
    expectClose(expected ?? [], await trained.predict(samples), 1e-5, 'what was written');
  });

  test('importTflite takes a part of a pool as it is', () => {
    const read = importTflite(pool.subarray(4097, 4097 + bytes.length));
    expect([...read.values].map(([, value]) => value)).toEqual([...importTflite(bytes).values.values()]);
  });
});
