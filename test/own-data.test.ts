/** Data of a person's own, from files on disk through the built command line: pictures, tables, arrays, idx, modules. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { decode } from 'fast-png';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BnnError } from '../src/errors.ts';
import { loadOwnData, type OwnDataOptions } from '../src/node/own-data.ts';
import type { TrainReport } from '../src/reports/training.ts';
import { checkData } from '../src/train/data.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { drawShapes, picture, uniform } from './helpers/drawn-shapes.ts';

let cli = '';
const folder = mkdtempSync(join(tmpdir(), 'my data '));
const at = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  cli = await buildCli();
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bnn = (...args: string[]) => runCli(cli, [...args, '--adapter', 'software']);
const said = async (...args: string[]) => {
  const { code, stdout, stderr } = await bnn(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};
const reportOf = (run: string) => JSON.parse(readFileSync(join(run, 'report.json'), 'utf8')) as TrainReport;
/** What a refusal says. Nothing of it is a fault of the program. */
const refusal = async (...args: string[]) => {
  const { code, stderr } = await bnn(...args);
  expect(stderr).not.toMatch(/TypeError|RangeError|^ +at /m);
  return { code, stderr };
};

/** What reading a data set says against it. */
const refused = async (path: string, options: OwnDataOptions = {}): Promise<string> => {
  const error = await loadOwnData(path, options)
    .then(checkData)
    .catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(BnnError);
  return String(error);
};

describe('a folder of pictures', () => {
  const shapes = at('shapes');
  const run = at('run shapes');
  beforeAll(() => drawShapes(shapes, 0, 200));

  test('is inspected: counts, shape, means, and a sheet of samples', async () => {
    const printed = await runCli(cli, ['data', 'inspect', shapes, '--sheet', at('sheet.png')]);
    expect(printed.stderr).toBe('');
    expect(printed.stdout).toMatch(
      /480 training and 120 test samples of 16 x 16 x 3; 3 classes: cross, disc, hollow square/,
    );
    expect(printed.stdout).toMatch(/hollow square │ 160 +│ 40/);
    const sheet = decode(readFileSync(at('sheet.png')));
    expect([sheet.width, sheet.height]).toEqual([12 * 18 + 2, 3 * 18 + 2]);
    const { stdout } = await runCli(cli, ['data', 'inspect', shapes, '--json', '--grey', '--size', '8x10']);
    expect(JSON.parse(stdout)).toMatchObject({ shape: [8, 10, 1], train: { perClass: [160, 160, 160] } });
  });

  test('600 of them train to 95 % and more; eval, prolonging, conversion and use need the files alone', {
    timeout: 300_000,
  }, async () => {
    const printed = await said(
      ...['train', '--dataset', shapes, '--epochs', '6', '--batch', '20', '--out', run, '--seed', '3'],
    );
    const accuracy = Number(/test accuracy +([\d.]+)/.exec(printed)?.[1]);
    expect(accuracy).toBeGreaterThanOrEqual(95);
    const report = reportOf(run);
    expect(report.dataset).toBe('shapes');
    expect(report.mistakes?.classes).toEqual(['cross', 'disc', 'hollow square']);
    expect(report.mistakes?.confusion.flat().reduce((sum, n) => sum + n, 0)).toBe(120);
    // The folder's path is in none of the files of a run that others may get.
    expect(readFileSync(join(run, 'checkpoint.safetensors'), 'latin1')).not.toContain(folder);

    expect(await said('eval', run, '--dataset', shapes)).toContain(
      `test accuracy  ${accuracy.toFixed(2)} % `,
    );
    const { accuracy: inWasm } = JSON.parse(
      (await runCli(cli, ['eval', run, '--dataset', shapes, '--engine', 'wasm', '--json'])).stdout,
    ) as { accuracy: number };
    expect(Math.abs(100 * inWasm - accuracy)).toBeLessThan(1);
    for (const ending of ['safetensors']) {
      const file = at(`shapes.${ending}`);
      const converted = await runCli(cli, ['convert', run, file]);
      expect({ code: converted.code, stderr: converted.stderr }).toEqual({ code: 0, stderr: '' });
      const fresh = at('fresh');
      drawShapes(fresh, 5000, 5);
      const { results, files } = JSON.parse(
        await said('run', file, '--input', fresh, '--top', '1', '--json'),
      ) as {
        results: { name: string }[][];
        files: string[];
      };
      const right = results.filter(([best], i) => files[i]?.includes(join(fresh, best?.name ?? '?')));
      expect(right.length).toBeGreaterThanOrEqual(14);
      // The same without --input.
      const named = JSON.parse(await said('run', file, ...files.slice(0, 2), '--top', '1', '--json'));
      expect(named).toMatchObject({ files: files.slice(0, 2), results: results.slice(0, 2) });
    }
    const without = await refusal('train', '--resume', run, '--epochs', '7');
    expect(without.stderr).toMatch(/does not keep where they lie[\s\S]*--dataset PATH/);
    await said('train', '--resume', run, '--epochs', '7', '--dataset', shapes);
    expect(reportOf(run).epochs.length).toBe(7);
    const other = at('other shapes');
    drawShapes(other, 300, 200);
    const wrong = await refusal('train', '--resume', run, '--epochs', '8', '--dataset', other);
    expect(wrong.stderr).toMatch(/images, labels and normalisation of the data set/);
    expect(wrong.code).toBe(2);
  });

  test('decoded while it trains, it gives the same weights as kept in memory', {
    timeout: 300_000,
  }, async () => {
    const flags = ['--epochs', '2', '--batch', '20', '--class-weights', 'balanced', '--overwrite'];
    const kept = await said('train', '--dataset', shapes, ...flags, '--out', at('run kept'));
    const streamed = await said(
      'train',
      '--dataset',
      shapes,
      '--stream',
      ...flags,
      '--out',
      at('run streamed'),
    );
    for (const pattern of [/sha256 \w{64}/, /test accuracy +[\d.]+ %/, /480 training and 120 test samples/]) {
      expect(pattern.exec(kept)?.[0]).toBeDefined();
      expect(pattern.exec(streamed)?.[0]).toBe(pattern.exec(kept)?.[0]);
    }
    // It goes on as it began, and a picture that changed meanwhile is missed.
    await said('train', '--resume', at('run streamed'), '--epochs', '3', '--dataset', shapes);
    const { stdout } = await runCli(cli, ['data', 'inspect', shapes, '--stream', '--skip-broken', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'bytes', train: { perClass: [160, 160, 160] } });
    const changed = at('changed');
    cpSync(shapes, changed, { recursive: true });
    writeFileSync(join(changed, 'disc', '3.png'), picture('disc', 3).subarray(0, 90));
    const place = ['--resume', at('run streamed'), '--epochs', '4', '--dataset', changed];
    expect((await refusal('train', ...place)).stderr).toMatch(/images, labels and normalisation/);
    const broken = await refusal('train', '--dataset', changed, '--stream', ...flags, '--out', at('never'));
    expect(broken.stderr).toMatch(/can not be read[\s\S]*disc\/3\.png[\s\S]*--skip-broken/);
    const skipping = ['--stream', '--skip-broken', ...flags, '--out', at('run skipping')];
    expect(await said('train', '--dataset', changed, ...skipping)).toMatch(/1 pictures that can not be read/);
    rmSync(at('never'), { recursive: true, force: true });
  });

  test('with parts of its own for tests', async () => {
    const parted = at('parted');
    drawShapes(join(parted, 'train'), 0, 20);
    drawShapes(join(parted, 'test'), 50, 7);
    const { stdout } = await runCli(cli, ['data', 'inspect', parted, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      train: { perClass: [20, 20, 20] },
      test: { perClass: [7, 7, 7] },
    });
  });

  test('copies are counted: within the training, with another class, and in the tests', async () => {
    const copied = at('copied');
    drawShapes(join(copied, 'train'), 0, 5);
    drawShapes(join(copied, 'test'), 50, 3);
    const inspect = async (...more: string[]) =>
      (await runCli(cli, ['data', 'inspect', copied, ...more])).stdout;
    expect(await inspect()).not.toMatch(/copies/);
    cpSync(join(copied, 'train', 'disc', '1.png'), join(copied, 'train', 'disc', 'again.png'));
    cpSync(join(copied, 'train', 'disc', '2.png'), join(copied, 'train', 'cross', 'odd.png'));
    cpSync(join(copied, 'train', 'disc', '3.png'), join(copied, 'test', 'disc', 'known.png'));
    expect(await inspect()).toMatch(
      /2 copies within the training\n +1 copy of training samples in the tests.*\n +1 of them with another class/,
    );
    const { copies } = JSON.parse(await inspect('--json'));
    expect(copies).toMatchObject({ training: 2, otherTargets: 1, inTest: 1 });
    expect(copies.first).toHaveLength(3);
    expect([copies.first[0].sample, copies.first[0].of].join()).toMatch(/cross\/odd\.png/);
    expect(copies.first[0].otherTarget).toBe(true);
    // A flat folder is split by the seed: a copy of another class is found wherever it goes.
    for (const seed of ['1', '2', '3']) {
      const flat = ['data', 'inspect', join(copied, 'train'), '--json', '--seed', seed];
      expect(JSON.parse((await runCli(cli, flat)).stdout).copies.otherTargets).toBe(1);
    }
  });

  test('what is wrong with pictures is said by name', async () => {
    const broken = at('broken');
    cpSync(at('parted', 'train'), broken, { recursive: true });
    writeFileSync(join(broken, 'disc', '3.png'), picture('disc', 3).subarray(0, 90));
    writeFileSync(join(broken, 'disc', '4.jpg'), 'no picture');
    const { stderr, code } = await refusal('train', '--dataset', broken, '--out', at('never'));
    expect(stderr).toMatch(/can not be read[\s\S]*disc\/3\.png[\s\S]*--skip-broken/);
    expect(code).toBe(1);
    const skipped = await runCli(cli, ['data', 'inspect', broken, '--skip-broken']);
    expect(skipped.stdout).toMatch(
      /2 pictures that can not be read were left out:\n.*disc\/3\.png.*\n.*disc\/4\.jpg/,
    );
    expect(skipped.stdout).toMatch(/disc +│ 15 +│ 4/);

    const sizes = at('sizes');
    drawShapes(sizes, 0, 3);
    writeFileSync(join(sizes, 'disc', '9.png'), picture('disc', 9, 20));
    expect(await refused(sizes)).toMatch(
      /not of one size[\s\S]*disc\/9\.png[\s\S]*20 x 20, and 16 x 16[\s\S]*--size/,
    );
    expect((await loadOwnData(sizes, { size: [12, 12] })).image).toEqual([12, 12, 3]);
    const side = 12 as unknown as [number, number];
    await expect(loadOwnData(sizes, { size: side })).rejects.toThrow(/no size of pictures[\s\S]*\[12, 12\]/);

    const few = at('few');
    drawShapes(few, 0, 3);
    rmSync(join(few, 'disc'), { recursive: true });
    mkdirSync(join(few, 'disc'));
    writeFileSync(join(few, 'disc', '0.png'), picture('disc', 0));
    expect(await refused(few)).toMatch(/too few samples[\s\S]*1 sample of disc/);
    rmSync(join(few, 'disc', '0.png'));
    expect(await refused(few)).toMatch(/no pictures[\s\S]*disc/);
    mkdirSync(at('empty'));
    expect(await refused(at('empty'))).toMatch(/no folders with pictures/);
    mkdirSync(at('one', 'disc'), { recursive: true });
    writeFileSync(at('one', 'disc', '0.png'), picture('disc', 0));
    expect(await refused(at('one'))).toMatch(/one class, disc/);
    const nowhere = await refusal('train', '--dataset', at('nowhere'));
    expect(nowhere.stderr).toMatch(/no such data set[\s\S]*nowhere/);
    expect((await refusal('train', '--dataset', 'imagnet')).stderr).toMatch(/Allowed choices are mnist/);
    expect((await refusal('train', '--dataset', shapes, '--split', '2')).stderr).toMatch(
      /share between 0 and 1/,
    );
    expect((await refusal('train', '--dataset', shapes, '--size', 'big')).stderr).toMatch(/as 32 or 32x48/);
    expect(readdirSync(folder)).not.toContain('never');
  });
});

describe('a table', () => {
  const COLOURS = ['red', 'green', 'blue'];
  /** Two numbers and a colour, from which class and price follow. */
  const row = (i: number) => {
    const [a, b] = [100 * uniform(50, i), 5 + 0.01 * uniform(51, i)];
    const colour = COLOURS[Math.floor(3 * uniform(52, i))] ?? '';
    const price = 1000 + 3 * a + (colour === 'red' ? 200 : 0);
    const kind = a > 50 ? (colour === 'red' ? 'warm' : 'large') : 'small';
    return { a, b, colour, price, kind };
  };
  const table = (
    name: string,
    rows: readonly (readonly (string | number)[])[],
    header = 'a,b,colour,price,kind',
  ) => {
    writeFileSync(at(name), `${header}\n${rows.map((fields) => fields.join(',')).join('\n')}\n`);
    return at(name);
  };
  const rows = Array.from({ length: 500 }, (_, i) => Object.values(row(i)));
  let full = '';
  beforeAll(() => {
    full = table('things.csv', rows);
  });

  test('of numbers and categories learns classes, and its file takes rows of a table', {
    timeout: 300_000,
  }, async () => {
    const own = table(
      'kinds.csv',
      rows.map(([a, b, colour, , kind]) => [a, b, colour, kind] as string[]),
      'a,b,colour,kind',
    );
    const run = at('run kinds');
    const flags = ['--epochs', '20', '--batch', '20', '--lr', '0.01:0.001', '--class-weights', 'balanced'];
    const printed = await said('train', '--dataset', own, '--label', 'kind', ...flags, '--out', run);
    expect(printed).toMatch(/400 training and 100 test samples of 5; 3 classes: large, small, warm/);
    expect(Number(/test accuracy +([\d.]+)/.exec(printed)?.[1])).toBeGreaterThan(90);
    // Columns may come in another order, and more of them.
    const fresh = Array.from({ length: 40 }, (_, i) => row(9000 + i));
    const asked = table(
      'asked.csv',
      fresh.map(({ a, b, colour }) => [colour, 7, b, a]),
      'colour,other,b,a',
    );
    for (const ending of ['onnx', 'tflite']) {
      const file = at(`kinds.${ending}`);
      const converted = await runCli(cli, ['convert', run, file]);
      expect([converted.stderr, /--pixels/.test(converted.stdout)]).toEqual(['', false]);
      const { results } = JSON.parse(await said('run', file, '--input', asked, '--json')) as {
        results: { name: string }[][];
      };
      const right = results.filter(([best], i) => best?.name === fresh[i]?.kind).length;
      expect(right).toBeGreaterThanOrEqual(35);
    }
    const unknown = table('unknown.csv', [['purple', 7, 5, 5]], 'colour,other,b,a');
    expect((await refusal('run', run, '--input', unknown)).stderr).toMatch(
      /category[\s\S]*purple in row 1, column colour[\s\S]*blue, green, red/,
    );
    expect((await refusal('run', run, '--input', table('short.csv', [[1]], 'a'))).stderr).toMatch(
      /no column[\s\S]*b/,
    );
  });

  test('of a made function is a regression, whose file gives numbers in the units of the table', {
    timeout: 300_000,
  }, async () => {
    const run = at('run price');
    const own = table(
      'price.csv',
      rows.map(([a, b, colour, price]) => [a, b, colour, price] as string[]),
      'a,b,colour,price',
    );
    const printed = await said(
      ...['train', '--dataset', own, '--label', 'price', '--regression', '--epochs', '40', '--batch', '20'],
      ...['--lr', '0.01:0.0005', '--out', run],
    );
    expect(printed).not.toMatch(/accuracy/);
    // The share of the variance that is left.
    const loss = Number(/^test loss +([\d.]+)/m.exec(printed)?.[1]);
    expect(loss).toBeLessThan(0.15);
    expect(await said('eval', run, '--dataset', own)).toMatch(new RegExp(`test loss +${loss.toFixed(4)}`));
    expect(readFileSync(join(run, 'report.html'), 'utf8')).not.toMatch(/test accuracy<|NaN/);
    const fresh = Array.from({ length: 50 }, (_, i) => row(9000 + i));
    const asked = table(
      'ask.csv',
      fresh.map(({ a, b, colour }) => [a, b, colour]),
      'a,b,colour',
    );
    const { outputs, values } = JSON.parse(await said('run', run, '--input', asked, '--json')) as {
      outputs: string[];
      values: number[];
    };
    expect(outputs).toEqual(['price']);
    const errors = values.map((value, i) => Math.abs(value - (fresh[i]?.price ?? 0)));
    expect(errors.reduce((sum, error) => sum + error, 0) / 50).toBeLessThan(70);
    expect(await said('run', run, '--input', asked)).toMatch(/row 1 +price \d{4}/);
  });

  const [first = [], second = []] = rows;
  test.each<[string, () => string, OwnDataOptions, RegExp]>([
    ['no label', () => full, {}, /which column|Which column[\s\S]*a,b,colour,price,kind[\s\S]*--label/],
    ['an unknown label', () => full, { label: 'sort' }, /no column[\s\S]*sort[\s\S]*price/],
    [
      'a label that is missing',
      () => table('gap.csv', [...rows, [1, 2, 'red', 3, '']]),
      { label: 'kind' },
      /label is missing[\s\S]*row 501, column kind/,
    ],
    [
      'a number that is missing',
      () => table('hole.csv', [first, ['', 2, 'red', 3, 'small'], ...rows]),
      { label: 'kind' },
      /missing[\s\S]*row 2, column a/,
    ],
    [
      'NaN',
      () => table('nan.csv', [first, second, ['NaN', 2, 'red', 3, 'small'], ...rows]),
      { label: 'kind' },
      /NaN in row 3, column a/,
    ],
    [
      'a text among numbers',
      () => table('text.csv', [...rows, ['many', 2, 'red', 3, 'small']]),
      { label: 'kind' },
      /many in row 501, column a/,
    ],
    [
      'a text where a number is to be predicted',
      () => full,
      { label: 'kind', regression: true },
      /no finite number[\s\S]*column kind/,
    ],
    [
      'a class with one row',
      () => table('rare.csv', [...rows, [1, 2, 'red', 3, 'rare']]),
      { label: 'kind' },
      /1 sample of rare/,
    ],
    [
      'lines of other lengths',
      () => table('uneven.csv', [...rows, [1, 2]]),
      { label: 'kind' },
      /can't be read[\s\S]*502/,
    ],
    ['no rows', () => table('none.csv', []), { label: 'kind' }, /no rows/],
    [
      'two columns of one name',
      () => table('twice.csv', rows, 'a,a,colour,price,kind'),
      { label: 'kind' },
      /one name[\s\S]*a/,
    ],
  ])('%s is refused', async (_, path, options, words) => {
    expect(await refused(path(), options)).toMatch(words);
  });

  test('a category that only tests have is refused', async () => {
    const odd = table('odd.csv', [...rows, [1, 2, 'purple', 3, 'small']]);
    const said = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((seed) =>
        loadOwnData(odd, { label: 'kind', split: 0.5, seed }).then(() => undefined, String),
      ),
    );
    const wrong = said.filter((text) => text !== undefined);
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.length).toBeLessThan(6);
    expect(wrong[0]).toMatch(/category[\s\S]*purple in row 501, column colour/);
  });
});

describe('arrays, idx files and modules', () => {
  const N = 120;
  const label = (i: number) => i % 3;
  const image = (i: number, p: number) =>
    (p % 3 === label(i) ? 180 : 20) + Math.floor(60 * uniform(70, 20 * i + p));
  const npy = (dtype: string, shape: readonly number[], data: Uint8Array) => {
    const dict = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
    const text = `${dict.padEnd(117)}\n`;
    return Uint8Array.of(0x93, ...Buffer.from('NUMPY'), 1, 0, text.length, 0, ...Buffer.from(text), ...data);
  };
  const bytesOf = (array: ArrayBufferView) =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const pixels = Uint8Array.from({ length: N * 16 }, (_, i) => image(Math.floor(i / 16), i % 16));
  const x = npy('|u1', [N, 4, 4], pixels);
  const y = npy('<i8', [N], bytesOf(BigInt64Array.from({ length: N }, (_, i) => BigInt(label(i)))));
  const idx = (shape: readonly number[], data: Uint8Array) => {
    const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
    header.setUint32(0, 0x0800 + shape.length);
    for (const [axis, extent] of shape.entries()) header.setUint32(4 + 4 * axis, extent);
    return Buffer.concat([new Uint8Array(header.buffer), data]);
  };
  const labels = Uint8Array.from({ length: N }, (_, i) => label(i));
  const FLAGS = ['--epochs', '8', '--batch', '12', '--lr', '0.01', '--model', 'mlp'];
  const trained = async (path: string, ...more: string[]) => {
    const printed = await said(
      'train',
      '--dataset',
      path,
      ...FLAGS,
      ...more,
      '--out',
      at('run'),
      '--overwrite',
    );
    return {
      accuracy: Number(/test accuracy +([\d.]+)/.exec(printed)?.[1]),
      hash: /sha256 (\w+)/.exec(printed)?.[1],
      printed,
    };
  };

  test('one set in every kind of file trains to the same weights', { timeout: 300_000 }, async () => {
    writeFileSync(at('set.npz'), zipSync({ 'x.npy': x, 'y.npy': y }));
    const npz = await trained(at('set.npz'));
    expect(npz.printed).toMatch(/96 training and 24 test samples of 4 x 4 x 1; 3 classes/);
    expect(npz.accuracy).toBeGreaterThan(90);
    mkdirSync(at('arrays'));
    writeFileSync(at('arrays', 'x.npy'), x);
    writeFileSync(at('arrays', 'y.npy'), y);
    mkdirSync(at('idx'));
    writeFileSync(at('idx', 'train-images-idx3-ubyte.gz'), gzipSync(idx([N, 4, 4], pixels)));
    writeFileSync(at('idx', 'train-labels-idx1-ubyte.gz'), gzipSync(idx([N], labels)));
    const [first, ...others] = await Promise.all([
      loadOwnData(at('set.npz')),
      loadOwnData(at('arrays')),
      loadOwnData(at('arrays', 'x.npy'), { labels: at('arrays', 'y.npy') }),
      loadOwnData(at('idx')),
    ]);
    for (const { name: _, ...other } of others) expect({ name: 'set', ...other }).toEqual(first);
    expect((await trained(at('idx'))).hash).toBe(npz.hash);
    // Where labels lie is not kept, and is said again.
    const place = ['--dataset', at('arrays', 'x.npy'), '--labels', at('arrays', 'y.npy')];
    const pair = await trained(at('arrays', 'x.npy'), ...place.slice(2));
    expect(pair.hash).toBe(npz.hash);
    expect(await said('eval', at('run'), ...place)).toContain(`${pair.accuracy.toFixed(2)} %`);
    expect((await refusal('eval', at('run'), ...place.slice(0, 2))).stderr).toMatch(/--labels/);
    await said('train', '--resume', at('run'), '--epochs', '9', ...place);
    expect(reportOf(at('run')).epochs.length).toBe(9);
  });

  test('rows of 0 and 1 are labels of which several hold, and a float column is a number', {
    timeout: 300_000,
  }, async () => {
    const reals = Float32Array.from(pixels, (byte) => byte / 128 - 1);
    const bits = Uint8Array.from({ length: N * 2 }, (_, i) => (label(Math.floor(i / 2)) > i % 2 ? 1 : 0));
    const rows = npy('<f4', [N, 16], bytesOf(reals));
    writeFileSync(at('bits.npz'), zipSync({ 'x.npy': rows, 'y.npy': npy('|u1', [N, 2], bits) }));
    const several = await trained(at('bits.npz'));
    expect(several.printed).toMatch(/samples of 16; 2 labels/);
    expect(several.accuracy).toBeGreaterThan(90);
    expect(reportOf(at('run')).options.loss).toBe('binaryCrossEntropy');
    const numbers = Float32Array.from({ length: N }, (_, i) => label(i) - 1.25);
    writeFileSync(at('numbers.npz'), zipSync({ 'x.npy': rows, 'y.npy': npy('<f4', [N], bytesOf(numbers)) }));
    expect((await refusal('train', '--dataset', at('numbers.npz'))).stderr).toMatch(
      /no classes[\s\S]*--regression/,
    );
    expect((await trained(at('numbers.npz'), '--regression')).printed).toMatch(/test loss +0\.\d/);
  });

  test('a module gives a stream, made as it is read', async () => {
    const entry = pathToFileURL(join(dirname(cli), 'methods.js')).href;
    writeFileSync(
      at('stripes.mjs'),
      `import { defineSource } from ${JSON.stringify(entry)};
      const noise = (i) => Math.imul(i + 1, 2654435761) >>> 24;
      const stripes = (from, count) => defineSource({
        count, dtype: 'u8', identity: 'stripes from ' + from,
        async read(samples, { images, labels }) {
          for (const [row, number] of samples.entries()) {
            const label = number % 3;
            labels[row] = label;
            for (let p = 0; p < 16; p++) images[16 * row + p] = (p % 3 === label ? 150 : 0) + (noise((from + number) * 16 + p) >> 2);
          }
        },
      });
      export default ({ seed }) => ({
        classes: ['a', 'b', 'c'], image: [4, 4, 1], train: stripes(seed, 240), test: stripes(9000, 60),
        normalise: { scale: [2 / 255], shift: [-1] },
      });`,
    );
    const { accuracy, printed } = await trained(at('stripes.mjs'));
    expect(printed).toMatch(/stripes: 240 training and 60 test samples/);
    expect(accuracy).toBeGreaterThan(90);
    writeFileSync(at('nothing.mjs'), 'export const x = 1;');
    expect((await refusal('train', '--dataset', at('nothing.mjs'))).stderr).toMatch(
      /exports no data set[\s\S]*x/,
    );
    writeFileSync(
      at('untested.mjs'),
      'export default { classes: ["a"], image: [1], train: { count: 1, images: new Uint8Array(1), labels: new Uint8Array(1) } };',
    );
    expect((await refusal('train', '--dataset', at('untested.mjs'))).stderr).toMatch(/no samples to test on/);
  });

  test('what does not fit is refused', async () => {
    writeFileSync(
      at('long.npz'),
      zipSync({ 'x.npy': x, 'y.npy': npy('|u1', [N + 1], new Uint8Array(N + 1)) }),
    );
    expect(await refused(at('long.npz'))).toMatch(/one target for every sample[\s\S]*121/);
    writeFileSync(at('names.npz'), zipSync({ 'a.npy': x, 'b.npy': y }));
    expect(await refused(at('names.npz'))).toMatch(/a, b[\s\S]*x and y/);
    expect(await refused(at('arrays', 'x.npy'))).toMatch(/--labels/);
    const broken = Float32Array.from({ length: N * 4 }, (_, i) => (i === 4 * 17 + 2 ? Number.NaN : i % 7));
    writeFileSync(at('nan.npz'), zipSync({ 'x.npy': npy('<f4', [N, 4], bytesOf(broken)), 'y.npy': y }));
    expect(await refused(at('nan.npz'))).toMatch(/NaN in row 17 of x, column 2/);
  });
});

describe('what is wrong with data is said by the command line, before anything is made', () => {
  /** A table of so many rows, some of them changed. */
  const table = (name: string, changes: Readonly<Record<number, string>> = {}) => {
    const rows = Array.from(
      { length: 60 },
      (_, i) => changes[i] ?? `${i % 7},${i % 2 ? 'red' : 'blue'},${i % 3 ? 'a' : 'b'}`,
    );
    writeFileSync(at(name), `n,colour,kind\n${rows.join('\n')}\n`);
    return at(name);
  };
  const shapesOf = (name: string, more: Readonly<Record<string, Uint8Array | string>> = {}) => {
    drawShapes(at(name), 0, 4);
    for (const [file, content] of Object.entries(more)) {
      mkdirSync(dirname(at(name, file)), { recursive: true });
      writeFileSync(at(name, file), content);
    }
    return at(name);
  };
  const reals = (name: string, bad?: number) => {
    const shape = '(60, 3), }';
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}`.padEnd(117);
    const y = `{'descr': '|u1', 'fortran_order': False, 'shape': (60,), }`.padEnd(117);
    const npy = (text: string, data: ArrayBufferView) =>
      new Uint8Array(
        Buffer.concat([
          Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]),
          Buffer.from(`${text}\n`),
          Buffer.from(data.buffer as ArrayBuffer),
        ]),
      );
    const values = Float32Array.from({ length: 180 }, (_, i) => (i === bad ? Number.NaN : i % 5));
    const labels = Uint8Array.from({ length: 60 }, (_, i) => i % 2);
    writeFileSync(at(name), zipSync({ 'x.npy': npy(header, values), 'y.npy': npy(y, labels) }));
    return at(name);
  };

  test.each<[string, () => readonly string[], RegExp]>([
    [
      'an empty folder',
      () => [shapesOf('wrong 0', {}).replace('wrong 0', 'nothing')],
      /no folders with pictures in/,
    ],
    [
      'a class with one picture',
      () => [shapesOf('wrong 1', { 'star/0.png': picture('disc', 0) })],
      /too few samples[\s\S]*1 sample of star/,
    ],
    [
      'a picture that can not be read',
      () => [shapesOf('wrong 2', { 'disc/x.webp': 'RIFF0000WEBP' })],
      /can not be read[\s\S]*disc\/x\.webp[\s\S]*--skip-broken/,
    ],
    [
      'a class of which no picture can be read',
      () => [shapesOf('wrong 3', { 'star/0.png': 'no', 'star/1.png': 'no' }), '--skip-broken'],
      /no picture that can be read[\s\S]*star/,
    ],
    [
      'pictures of two sizes',
      () => [shapesOf('wrong 4', { 'disc/x.png': picture('disc', 1, 20) })],
      /not of one size[\s\S]*20 x 20[\s\S]*--size/,
    ],
    [
      'a label that is missing',
      () => [table('wrong5.csv', { 7: '1,red,' }), '--label', 'kind'],
      /label is missing[\s\S]*row 8, column kind/,
    ],
    [
      'NaN in a table',
      () => [table('wrong6.csv', { 7: 'NaN,red,a' }), '--label', 'kind'],
      /NaN in row 8, column n/,
    ],
    ['NaN in arrays', () => [reals('wrong7.npz', 3 * 11 + 1)], /NaN in row 11 of x, column 1/],
    [
      'names where numbers are predicted',
      () => [table('wrong8.csv'), '--label', 'kind', '--regression'],
      /no finite number[\s\S]*row \d+, column kind/,
    ],
    [
      'an augmentation of rows',
      () => [table('wrong9.csv'), '--label', 'kind', '--augment', 'rotate:5'],
      /moved and changed are images[\s\S]*rotate/,
    ],
  ])('%s', async (_, given, words) => {
    mkdirSync(at('nothing'), { recursive: true });
    const out = at('not made');
    const { code, stderr } = await refusal('train', '--dataset', ...given(), '--batch', '10', '--out', out);
    expect(stderr).toMatch(words);
    expect(code).not.toBe(0);
    expect(existsSync(join(out, 'checkpoint.safetensors'))).toBe(false);
  });

  test('a category that the test part alone has', async () => {
    const path = table('odd kinds.csv', { 7: '1,purple,a' });
    const seeds = await Promise.all(
      Array.from({ length: 12 }, (_, seed) =>
        loadOwnData(path, { label: 'kind', split: 0.5, seed }).then(
          () => undefined,
          () => seed,
        ),
      ),
    );
    const seed = seeds.find((one) => one !== undefined);
    const flags = ['--label', 'kind', '--split', '0.5', '--seed', `${seed}`, '--out', at('not made')];
    expect((await refusal('train', '--dataset', path, ...flags)).stderr).toMatch(
      /category[\s\S]*purple in row 8, column colour/,
    );
  });

  test('a full disk: what was saved before stays, and the rest is said', { timeout: 300_000 }, async ({
    skip,
  }) => {
    const disk = at('disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'pipe' });
    } catch {
      // Only root mounts; files.test.ts makes the write itself fail.
      return skip();
    }
    try {
      const flags = ['--label', 'kind', '--epochs', '2', '--batch', '10', '--out', join(disk, 'run')];
      const { code, stderr } = await refusal('train', '--dataset', table('for a disk.csv'), ...flags);
      expect(stderr).toMatch(/the disk is full[\s\S]*free some space/);
      expect(code).not.toBe(0);
      // Nothing that is half a file.
      expect(existsSync(join(disk, 'run', 'checkpoint.safetensors'))).toBe(false);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

describe('augmentations', () => {
  test('as a list are kept with the run, and it goes on with them', { timeout: 300_000 }, async () => {
    drawShapes(at('to augment'), 0, 30);
    const flags = ['--dataset', at('to augment'), '--batch', '12', '--epochs', '2'];
    const list = ['--augment', 'crop:1,flip,rotate:10,brightness:0.1,cutout:3,mixup,labelSmoothing:0.05'];
    const run = at('run augmented');
    const printed = await said('train', ...flags, '--loss', 'crossEntropy', ...list, '--out', run);
    const hash = (text: string) => /sha256 (\w{64})/.exec(text)?.[1];
    expect(hash(await said('train', ...flags, '--loss', 'crossEntropy', ...list, '--out', at('again')))).toBe(
      hash(printed),
    );
    const plain = await said('train', ...flags, '--loss', 'crossEntropy', '--out', at('plain'));
    expect(hash(plain)).not.toBe(hash(printed));
    expect(reportOf(run).options.augment).toEqual([
      { name: 'crop', pad: 1 },
      'flip',
      { name: 'rotate', degrees: 10 },
      { name: 'brightness', amount: 0.1 },
      { name: 'cutout', size: 3 },
      'mixup',
      { name: 'labelSmoothing', share: 0.05 },
    ]);
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('rotate (degrees 10)');
    const longer = ['train', '--resume', run, '--dataset', at('to augment'), '--epochs', '3'];
    expect(await said(...longer)).toMatch(/test accuracy/);
    expect((await refusal(...longer.slice(0, -1), '4', '--augment', 'flip')).stderr).toMatch(
      /keeps the options/,
    );
    for (const [wrong, words] of [
      ['turn:5', /Augmentations are brightness, .*as in crop:4,flip/],
      ['flip:3', /flip has no numbers/],
      ['rotate:500', /rotate: degrees: a number, .*90 or less/],
      ['rotate:', /a number/],
    ] as const) {
      expect((await refusal('train', '--augment', wrong)).stderr).toMatch(words);
    }
  });
});
