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
import type { GeometryReport } from '../src/cli/geometry.ts';
import { FormatError, MemoryPlanError, OptionError, StorageError } from '../src/errors.ts';
import { encodeSafetensors, type SafetensorsInput } from '../src/formats/safetensors.ts';
import { FilterSurvey } from '../src/geometry/survey.ts';
import { openModel } from '../src/node/safetensors.ts';
import type { WeightFormat } from '../src/ops/geometry.ts';
import * as reference from '../src/reference/geometry.ts';
import { normal } from '../src/reference/random.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { useGpu } from './helpers/gpu.ts';

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
    format: WeightFormat,
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
  afterAll(() => rmSync(dirname(cli), { recursive: true, force: true }));
  const bnn = (...args: string[]) => runCli(cli, args);

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
    expect(stdout).toContain('left out: tokens (I32: only F32, F16 and BF16 are measured)');
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
    const page = readFileSync(html, 'utf8');
    // Two charts of the model and one for every layer that has angles; nothing from elsewhere.
    expect(page.match(/<svg role="img"/g)).toHaveLength(6);
    expect(page).not.toMatch(/ src=| href=|@import/);
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

  test('fails with a reason and the right exit code', async () => {
    const missing = await bnn('geometry', join(folder, 'missing.safetensors'));
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('there is no such file')]);
    const path = write('small.safetensors', { t: f32([2, 2], gaussian(1, 4)) });
    expect((await bnn('geometry', path, '--memory', '1MB')).code).toBe(2);
    expect((await bnn('geometry', path, '--near-zero', 'small')).code).toBe(2);
  });
});
