/** Stored models: read piece by piece, measured in a fixed amount of memory, and refused where they are damaged. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, MemoryPlanError, OptionError, StorageError } from '../src/errors.ts';
import { encodeSafetensors, type SafetensorsInput } from '../src/formats/safetensors.ts';
import { filtersAlong } from '../src/geometry/axis.ts';
import {
  FilterSurvey,
  type LayerSurvey,
  type StoredFilters,
  type StoredFormat,
} from '../src/geometry/survey.ts';
import { openModel } from '../src/node/tensors.ts';
import { normal } from '../src/numerics/random.ts';
import { summarizePairs } from '../src/numerics/structure.ts';
import * as reference from '../src/reference/geometry.ts';
import * as structure from '../src/reference/structure.ts';
import type { GeometryReport } from '../src/reports/geometry.ts';
import { oneBitTable } from '../src/reports/one-bit.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { useGpu } from './helpers/gpu.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-survey-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gaussian = (seed: number, count: number) =>
  Float32Array.from({ length: count }, (_, i) => 0.05 * normal(seed, 1, i));
const f32 = (shape: number[], data: Float32Array<ArrayBuffer>): SafetensorsInput => ({
  dtype: 'F32',
  shape,
  data,
});

function write(name: string, tensors: Record<string, SafetensorsInput>): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, encodeSafetensors(tensors));
  return path;
}

/** bfloat16 by cutting off: what it stands for is another number, but a known one. */
const halvesOf = (values: Float32Array<ArrayBuffer>) =>
  Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);

describe('reading', () => {
  test('a tensor in pieces is the tensor', async () => {
    const data = gaussian(1, 999);
    const path = write('pieces.safetensors', { other: f32([1, 3], gaussian(2, 3)), t: f32([9, 111], data) });
    const model = await openModel(path);
    const tensor = model.tensors.find(({ name }) => name === 't');
    if (tensor === undefined) throw new Error('no tensor t');
    const bytes = new Uint8Array(data.byteLength);
    for (let at = 0; at < bytes.length; at += 1000) {
      await tensor.file.read(tensor.entry, at, bytes.subarray(at, Math.min(bytes.length, at + 1000)));
    }
    expect(new Float32Array(bytes.buffer)).toEqual(data);
    await expect(tensor.file.read(tensor.entry, 3990, new Uint8Array(7))).rejects.toThrow(OptionError);
    // A file that shrinks under the reader's feet.
    truncateSync(path, 200);
    await expect(tensor.file.read(tensor.entry, 0, new Uint8Array(3996))).rejects.toThrow(StorageError);
    await model.close();
  });

  test('shards by their index, a folder of files, and what is wrong with them', async () => {
    write('shards/a.safetensors', { one: f32([2, 2], gaussian(1, 4)) });
    write('shards/b.safetensors', { two: f32([2, 2], gaussian(2, 4)) });
    const names = async (path: string) => {
      const model = await openModel(path);
      await model.close();
      return model.tensors.map(({ name }) => name);
    };
    expect(await names(join(folder, 'shards'))).toEqual(['a:one', 'b:two']);
    const index = join(folder, 'shards', 'model.safetensors.index.json');
    const promise = (map: unknown) => writeFileSync(index, JSON.stringify({ weight_map: map }));
    promise({ one: 'a.safetensors', two: 'b.safetensors' });
    expect(await names(join(folder, 'shards'))).toEqual(['one', 'two']);
    expect(await names(index)).toEqual(['one', 'two']);
    for (const [map, error] of [
      [{ one: 'b.safetensors' }, FormatError],
      [{ one: 'a.safetensors', three: 'b.safetensors' }, FormatError],
      [{ one: '../shards/a.safetensors' }, FormatError],
      [{ one: 'missing.safetensors' }, StorageError],
      [{}, FormatError],
      [[], FormatError],
      ['a.safetensors', FormatError],
    ] as const) {
      promise(map);
      await expect(openModel(index), JSON.stringify(map)).rejects.toThrow(error);
    }
    writeFileSync(index, '{"weight_map":');
    await expect(openModel(index)).rejects.toThrow(FormatError);
    rmSync(index);
    write('many/first run/model.safetensors', { w: f32([2, 2], gaussian(1, 4)) });
    write('many/first run/best.safetensors', { w: f32([2, 2], gaussian(2, 4)) });
    write('many/second/m-1.safetensors', { w: f32([2, 2], gaussian(3, 4)) });
    const second = join(folder, 'many', 'second', 'm.safetensors.index.json');
    writeFileSync(second, JSON.stringify({ weight_map: { w: 'm-1.safetensors' } }));
    expect(await names(join(folder, 'many'))).toEqual(['first run/best:w', 'first run/model:w', 'second:w']);
    mkdirSync(join(folder, 'nothing'));
    await expect(openModel(join(folder, 'nothing'))).rejects.toThrow(OptionError);
    await expect(openModel(join(folder, 'no such file'))).rejects.toThrow(StorageError);
  });

  test('truncated, lengthened and lying files are refused before any tensor is read', async () => {
    const whole = readFileSync(write('whole.safetensors', { t: f32([4, 4], gaussian(1, 16)) }));
    const path = join(folder, 'damaged.safetensors');
    for (const length of [0, 7, 8, 20, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(openModel(path), `${length} bytes`).rejects.toThrow(FormatError);
    }
    writeFileSync(path, whole);
    appendFileSync(path, 'x');
    await expect(openModel(path)).rejects.toThrow(FormatError);
    writeFileSync(
      path,
      Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), whole.subarray(8)]),
    );
    await expect(openModel(path)).rejects.toThrow(FormatError);
  });
});

describe('measuring', () => {
  const gpu = useGpu();

  const measure = (
    survey: FilterSurvey,
    shape: number[],
    format: StoredFormat,
    data: ArrayBufferView<ArrayBuffer>,
  ) =>
    survey.measure({
      name: 'layer',
      shape,
      format,
      read: async (offset, into) =>
        into.set(new Uint8Array(data.buffer, data.byteOffset + offset, into.length)),
    });

  test('chunks of every format give what the whole tensor gives in float64', async () => {
    // 4 MB chunks: the first and the third tensor take several, and filters of odd length start within words.
    using survey = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const before = gpu().memory.bytes;
    for (const [filters, d, format] of [
      [5000, 301, 'f32'],
      [3, 17, 'f32'],
      [7001, 333, 'bf16'],
      [200_000, 3, 'f32'],
    ] as const) {
      const values = gaussian(d, filters * d);
      const data = format === 'f32' ? values : halvesOf(values);
      const layer = await measure(survey, [filters, d], format, data);
      const stored = format === 'f32' ? values : Float32Array.from(data, reference.decodeBf16);
      // Closed sums over the filters; the twin, made for one filter, would take minutes.
      let [sum, squares, kurtosis] = [0, 0, 0];
      const angles = Array.from({ length: filters }, (_, o) => {
        const w = stored.subarray(o * d, (o + 1) * d);
        if (o < 50 && d > 3) {
          const row = reference.filterGeometry(w);
          kurtosis += row.excessKurtosis;
          return row.angleDegrees;
        }
        let [l1, l2] = [0, 0];
        for (const x of w) {
          l1 += Math.abs(x);
          l2 += x * x;
        }
        return (Math.acos(Math.min(1, l1 / Math.sqrt(d * l2))) * 180) / Math.PI;
      });
      for (const angle of angles) {
        sum += angle;
        squares += angle * angle;
      }
      const mean = sum / filters;
      expect(Math.abs(layer.meanAngle / mean - 1), `mean of ${d}`).toBeLessThan(1e-5);
      expect(Math.abs(layer.sdAngle / Math.sqrt(squares / filters - mean * mean) - 1)).toBeLessThan(1e-3);
      expect(layer.angles.reduce((total, count) => total + count, 0)).toBe(filters);
      const histogram = reference.angleHistogram(angles, layer.angles.length);
      // An angle on the edge of a bin may fall on either side.
      const moved = histogram.reduce(
        (total, count, bin) => total + Math.abs(count - (layer.angles[bin] ?? 0)),
        0,
      );
      expect(moved).toBeLessThanOrEqual(2 + filters * 1e-4);
      expect(Math.abs(layer.positiveShare - 0.5)).toBeLessThan(4 / Math.sqrt(filters * d));
      expect(layer.zeroFilters + layer.nonFinite).toBe(0);
      if (d > 3) expect(Math.abs(kurtosis / Math.min(50, filters) - layer.meanKurtosis)).toBeLessThan(0.6);
    }
    // The survey's own memory doesn't grow beyond what it was told.
    expect(gpu().memory.bytes).toBeLessThan(before + 16 * 2 ** 20);
  });

  test('filters of zeros and broken weights are counted, not averaged', async () => {
    using survey = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const values = Float32Array.from([0, 0, 0, 0, 1, -1, Number.NaN, 1, Number.POSITIVE_INFINITY, 0, 0, 0]);
    const layer = await measure(survey, [3, 2, 2], 'f32', values);
    expect(layer.zeroFilters).toBe(2);
    expect(layer.nonFinite).toBe(2);
    expect(layer.meanAngle).toBe(0);
    expect(layer.positiveShare).toBeCloseTo(2 / 3, 6);
    const zeros = await measure(survey, [2, 2], 'f32', new Float32Array(4));
    expect(zeros.meanAngle).toBeNaN();
    expect(zeros.angles.every((count) => count === 0)).toBe(true);
  });

  test('weights are counted by value, in every format, and quantizers told from that', async () => {
    using survey = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const scaled = gaussian(7, 60 * 1001).map((x, i) => x * (1 + (Math.floor(i / 1001) % 7)));
    for (const format of ['f32', 'bf16'] as const) {
      const data = format === 'f32' ? scaled : halvesOf(scaled);
      const stored = format === 'f32' ? scaled : Float32Array.from(data, reference.decodeBf16);
      const layer = await measure(survey, [60, 1001], format, data);
      const counts = new Array<number>(640).fill(0);
      for (let o = 0; o < 60; o++) {
        const w = stored.subarray(o * 1001, (o + 1) * 1001);
        const size = Math.sqrt(w.reduce((sum, x) => sum + x * x, 0) / 1001);
        for (const x of w) {
          const bin = Math.min(639, Math.max(0, Math.floor(((x / size + 8) * 640) / 16)));
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
      }
      const moved = counts.reduce((sum, n, bin) => sum + Math.abs(n - (layer.density.counts[bin] ?? 0)), 0);
      // Rounding moves a weight that lies on an edge, out of one bin and into another.
      expect(moved).toBeLessThan(2 * 60);
      expect(counts.reduce((sum, n) => sum + n, 0)).toBe(60 * 1001);
      expect(layer.residualAngles[0]).toBeCloseTo(layer.meanAngle, 1);
      expect(layer.residualAngles.map((angle) => Math.round(angle))).toEqual([37, 21, 13, 10]);
      expect(layer.twoBitAngle).toBeCloseTo(20.045, 0);
      expect(layer.ternary.angle).toBeCloseTo(25.855, 0);
      expect(Math.abs(layer.ternary.threshold - 0.612)).toBeLessThan(0.1);
    }
  });

  test('a rotation brings filters near 37 degrees, in every format, and leaves the rest as it is', async () => {
    const plain = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const rotating = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20, rotate: true });
    using _both = { [Symbol.dispose]: () => [plain, rotating].map((survey) => survey.dispose()) };
    // Theory's example: far from 37 degrees as it is.
    const spread = gaussian(3, 64 * 512).map((x, i) => x * Math.exp(0.1 * ((i % 512) - 256)));
    for (const format of ['f32', 'bf16'] as const) {
      const data = format === 'f32' ? spread : halvesOf(spread);
      const { rotatedAngle, ...rest } = await measure(rotating, [64, 512], format, data);
      expect(rest).toEqual(await measure(plain, [64, 512], format, data));
      expect(rest.meanAngle).toBeGreaterThan(75);
      expect(Math.abs((rotatedAngle ?? 0) - 36.99)).toBeLessThan(0.5);
    }
  });

  test('filters against each other and patterns of kernels are those of the reference, in every format', async () => {
    const plain = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const comparing = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20, pairs: true });
    using _both = { [Symbol.dispose]: () => [plain, comparing].map((survey) => survey.dispose()) };
    const values = gaussian(21, 30 * 9 * 5);
    // A filter twice, and once the other way round.
    values.copyWithin(45, 0, 45);
    for (let i = 0; i < 45; i++) values[90 + i] = -(values[i] ?? 0);
    const rows = structure.filterPairs(
      Array.from(values, (value) => (value < 0 ? -1 : 1)),
      30,
      45,
    );
    for (const format of ['f32', 'bf16'] as const) {
      const data = format === 'f32' ? values : halvesOf(values);
      for (const [shape, layout] of [
        [[30, 5, 3, 3], 'OIHW'],
        [[30, 3, 3, 5], 'OHWI'],
      ] as const) {
        const { pairs, patterns, ...rest } = await measure(comparing, [...shape], format, data);
        expect(rest).toEqual(await measure(plain, [...shape], format, data));
        const expected = summarizePairs(rows, 30);
        expect(pairs).toMatchObject({ duplicates: 1, negatedDuplicates: 1, largestCosine: 1 });
        expect(pairs?.participation).toBeCloseTo(expected.participation, 3);
        expect(pairs?.sdCosine).toBeCloseTo(expected.sdCosine, 5);
        expect(patterns).toEqual(structure.kernelPatterns(values, 30, 5, layout));
      }
    }
    // Whose axes are the kernel's can't be told, and there are no kernels.
    expect((await measure(comparing, [30, 3, 3, 3], 'f32', values.slice(0, 810))).patterns).toBeUndefined();
    expect((await measure(comparing, [30, 45], 'f32', values)).patterns).toBeUndefined();
    // More filters than are compared.
    expect((await measure(comparing, [5000, 4], 'f32', gaussian(22, 20000))).pairs).toBeUndefined();
  });

  test('filters along any axis are those of the transposed tensor, in pieces', async () => {
    using survey = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    const [height, width, inputs, outputs] = [3, 5, 40, 700] as const;
    const values = gaussian(9, height * width * inputs * outputs);
    const at = (y: number, x: number, i: number, o: number) =>
      values[((y * width + x) * inputs + i) * outputs + o] ?? 0;
    const filters = new Float32Array(values.length);
    let next = 0;
    for (let o = 0; o < outputs; o++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) for (let i = 0; i < inputs; i++) filters[next++] = at(y, x, i, o);
    const expected = await measure(survey, [outputs, height, width, inputs], 'f32', filters);
    const bytes = new Uint8Array(values.buffer);
    const stored: StoredFilters = {
      name: 'layer',
      shape: [height, width, inputs, outputs],
      format: 'f32',
      read: async (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    };
    expect(await survey.measure(filtersAlong(stored, -1))).toEqual(expected);
    expect(filtersAlong(stored, 2).shape).toEqual([inputs, height, width, outputs]);
    const middle = new Uint8Array(4 * height * width * outputs);
    await filtersAlong(stored, 2).read(7 * middle.length, middle);
    expect(new Float32Array(middle.buffer)[outputs + 3]).toBe(at(0, 1, 7, 3));
    expect(() => filtersAlong(stored, 4)).toThrow(OptionError);
    expect(filtersAlong(stored, 0)).toBe(stored);
  });

  test('what cannot be measured is refused', async () => {
    using survey = new FilterSurvey(gpu(), { memory: 16 * 2 ** 20 });
    await expect(measure(survey, [2, 0], 'f32', new Float32Array())).rejects.toThrow(OptionError);
    await expect(measure(survey, [4], 'f32', new Float32Array(4))).rejects.toThrow(OptionError);
    await expect(measure(survey, [1, 2 ** 21], 'f32', new Float32Array())).rejects.toThrow(MemoryPlanError);
    expect(() => new FilterSurvey(gpu(), { memory: 1000 })).toThrow(OptionError);
  });
});

describe('the command', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });
  const bnn = (...args: string[]) => runCli(cli, args);

  test('says what it takes where there is nothing to measure', async () => {
    const path = write('packed.safetensors', {
      kernel: { dtype: 'U32', shape: [4, 2], data: new Uint32Array(8) },
      bias: f32([5], new Float32Array(5)),
    });
    const { code, stdout, stderr } = await bnn('geometry', path);
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/OptionError: There are no weights to measure[\s\S]*U32: only F32/);
  });

  test('the error of all layers is of the same weights for every size of groups', () => {
    const layer = (name: string, sizes: readonly number[], error: number) => {
      const groups = sizes.map((size) => ({ size, error, angle: 30, expectedAngle: 30, expectedError: 0.5 }));
      return { name, oneBit: { norm: 1, groups } } as unknown as LayerSurvey;
    };
    // The last is a whole filter.
    const { sizes, all } = oneBitTable([layer('long', [32, 64, 128], 0.6), layer('short', [32, 40], 0.1)]);
    expect(sizes).toEqual([32, 64]);
    expect(all).toEqual([['0.6000'], ['0.6000'], ['0.6000']]);
  });

  test('measures a model of every type, and says what it left out', async () => {
    const broken = gaussian(4, 64);
    broken[9] = Number.NaN;
    const path = write('model.safetensors', {
      conv: f32([128, 3, 3, 3], gaussian(1, 128 * 27)),
      dense: f32([64, 1152], gaussian(2, 64 * 1152)),
      half: { dtype: 'BF16', shape: [64, 4608], data: halvesOf(gaussian(3, 64 * 4608)) },
      broken: f32([8, 8], broken),
      zeros: f32([2, 8], new Float32Array(16)),
      bias: f32([5], new Float32Array(5)),
      tokens: { dtype: 'I32', shape: [2, 2], data: new Int32Array(4) },
      empty: f32([0, 4], new Float32Array()),
    });
    const [json, csv, html] = ['json', 'csv', 'html'].map((type) => join(folder, `out.${type}`)) as [
      string,
      string,
      string,
    ];
    const outputs = ['--json', json, '--csv', csv, '--html', html];
    const { code, stdout, stderr } = await bnn('geometry', path, ...outputs, '--memory', '32MB');
    expect(stderr).toBe('warning: broken has 1 NaN or infinite weights; they count in nothing\n');
    expect(code).toBe(0);
    expect(stdout).toMatch(/conv +│ 128 x 3 x 3 x 3 │ f32 +│ 3[56]\.\d\d ± \d\.\d\d° │ 36\.19 ± 3\.8\d°/);
    expect(stdout).toContain('zeros: 2 of 2 filters are all zeros and have no angle');
    expect(stdout).toContain(
      'left out: tokens (I32: only F32, F16, BF16, Q8_0, Q1_0, TQ1_0, TQ2_0 are measured)',
    );
    expect(stdout).toContain('left out: bias (fewer than two dimensions)');
    expect(stdout).toContain('left out: empty (empty)');
    const report = JSON.parse(readFileSync(json, 'utf8')) as GeometryReport;
    expect(report.layers.map(({ name }) => name).sort()).toEqual([
      'broken',
      'conv',
      'dense',
      'half',
      'zeros',
    ]);
    for (const { name, filters, meanAngle, expectedAngle, expectedSd } of report.layers) {
      if (name === 'zeros') continue;
      expect(Math.abs(meanAngle - expectedAngle), name).toBeLessThan((4.5 * expectedSd) / Math.sqrt(filters));
    }
    expect(Math.abs((report.spreadSlope ?? 0) + 0.5)).toBeLessThan(0.15);
    const lines = readFileSync(csv, 'utf8').trim().split('\r\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^name,shape,format,filters,dimension,meanAngle/);
    const page = contentOf(readFileSync(html, 'utf8'));
    // Five charts of the model and one for every layer that has angles; nothing from elsewhere.
    expect(page.match(/role="img"/g)).toHaveLength(9);
    expectSelfContained(page);
    expect(page).not.toContain('NaN°');
  });

  test('reads a checkpoint that webgpu-bnn train wrote', async () => {
    const out = join(folder, 'run');
    const small = '--train-samples 500 --test-samples 100 --epochs 1 --batch 50'.split(' ');
    expect((await bnn('train', ...small, '--out', out)).code).toBe(0);
    const { code, stdout } = await bnn('geometry', out, '--json', '-');
    expect(code).toBe(0);
    const { layers } = JSON.parse(stdout) as GeometryReport;
    const trained = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as {
      layers: { name: string; angleDegrees: number }[];
    };
    for (const { name, angleDegrees } of trained.layers) {
      const stored = layers.find((layer) => layer.name.endsWith(name));
      expect(stored?.meanAngle, name).toBeCloseTo(angleDegrees, 3);
    }
  });

  test('goes on with the layers that are missing in the file of --resume', async () => {
    const path = write('long.safetensors', {
      a: f32([16, 64], gaussian(1, 1024)),
      b: f32([64, 16], gaussian(2, 1024)),
      zeros: f32([2, 8], new Float32Array(16)),
    });
    const state = join(folder, 'long.survey');
    const survey = async (...more: string[]) => {
      const { code, stdout, stderr } = await bnn('geometry', path, '--json', '-', '--resume', state, ...more);
      return { code, stderr, layers: code === 0 ? (JSON.parse(stdout) as GeometryReport).layers : [] };
    };
    const first = await survey();
    expect(first.code).toBe(0);
    const saved = JSON.parse(readFileSync(state, 'utf8')) as { layers: { layer: { name: string } }[] };
    expect(saved.layers).toHaveLength(3);
    // As if it had been broken off after the first layer, which is marked to see that it isn't measured again.
    saved.layers.splice(1);
    writeFileSync(state, JSON.stringify(saved).replace(/"meanAngle":[\d.]+/, '"meanAngle":12.5'));
    const second = await survey();
    expect(second.layers.slice(1)).toEqual(first.layers.slice(1));
    expect(second.layers[0]).toEqual({ ...first.layers[0], meanAngle: 12.5 });
    const other = await survey('--axis', 'last');
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('begun with other options')]);
    writeFileSync(state, 'not JSON');
    expect((await survey()).code).toBe(1);
  });

  test('fails with a reason and the right exit code', async () => {
    const missing = await bnn('geometry', join(folder, 'missing.safetensors'));
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('there is no such file')]);
    const path = write('small.safetensors', { t: f32([2, 2], gaussian(1, 4)) });
    expect((await bnn('geometry', path, '--memory', '1MB')).code).toBe(2);
    expect((await bnn('geometry', path, '--near-zero', 'small')).code).toBe(2);
    const onnx = join(import.meta.dirname, 'fixtures', 'qonnx-tfc', 'TFC_1W1A.onnx');
    const other = await bnn('geometry', onnx);
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(/begins as ONNX does[\s\S]*inspect .*TFC_1W1A\.onnx; its tensors: .*convert/),
    ]);
  });
});
