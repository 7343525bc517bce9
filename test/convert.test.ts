/** `webgpu-bnn convert`, as users run it: trainings and other formats become files that run the same. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saveModel } from '../src/formats/index.ts';
import { apply, initialValues, input, model, sequential } from '../src/graph/index.ts';
import { add, batchNormalization, flatten, quantDense } from '../src/layers/index.ts';
import { loadDataset } from '../src/node/index.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { fileOf } from './helpers/onnx-file.ts';

const CNV = 'test/fixtures/bnn-pynq/cifar10-cnvW1A1';
const DEER = 'test/fixtures/bnn-pynq/deer.bin';
const QONNX = 'test/fixtures/qonnx-tfc/TFC_1W1A.onnx';

let cli = '';
let folder = '';
const bnn = (args: string) => runCli(cli, args.split(' '));
const resultsOf = async (args: string) => JSON.parse((await bnn(`${args} --json`)).stdout);

beforeAll(async () => {
  cli = await buildCli();
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-convert-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('convert', () => {
  test('a training becomes a model of a bit a weight that gives the labels of the training', async () => {
    const run = join(folder, 'run');
    const trained = await bnn(`train --train-samples 500 --test-samples 200 --epochs 1 --out ${run}`);
    expect(trained.stderr).toBe('');
    const file = join(folder, 'mlp.safetensors');
    const { code, stdout, stderr } = await bnn(`convert ${run} ${file}`);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/read .*training run, \d+\.\d MB[\s\S]*verified +read back[\s\S]*written .*kB/);
    // 784·512 + 512·512 + 512·10 bits, and four floats for each of 1,034 channels.
    expect(statSync(file).size).toBeLessThan((784 * 512 + 512 * 512 + 5120) / 8 + 16 * 1034 + 8192);

    const lite = join(folder, 'mlp.tflite');
    const converted = await bnn(`convert ${file} ${lite}`);
    expect(converted.stderr).toBe('');
    expect(converted.stdout).toMatch(
      /read .*webgpu-bnn[\s\S]*verified +read back from the disk: the same outputs/,
    );
    expect(statSync(lite).size).toBeLessThan(1.2 * statSync(file).size);

    const { accuracy } = JSON.parse((await bnn(`eval ${run} --json -`)).stdout);
    const [before, after] = [
      await resultsOf(`run ${run} --dataset mnist --samples 200`),
      await resultsOf(`run ${file} --dataset mnist --samples 200`),
    ];
    expect(before.format).toBe('training run');
    expect(after.accuracy).toBe(accuracy);
    expect(after.results).toEqual(before.results);
    // What the training knows of pixels and classes came along, in every format.
    const onnx = join(folder, 'mlp.onnx');
    expect((await bnn(`convert ${lite} ${onnx}`)).stderr).toBe('');
    for (const other of [lite, onnx]) {
      expect((await resultsOf(`run ${other} --dataset mnist --samples 200`)).accuracy).toBe(accuracy);
    }
    const asked = await resultsOf(`run ${file} --dataset mnist --samples 200 --pixels 0:1`);
    expect(asked.notes).toEqual([
      'the file says that it takes bytes as -1:1; 0:1 was taken, as the caller says',
    ]);
    expect(asked.results).not.toEqual(after.results);

    // One of the images as a picture.
    const { test: split } = await loadDataset('mnist');
    const png = join(folder, 'seven.png');
    writeFileSync(png, encode({ width: 28, height: 28, channels: 1, data: split.images.slice(0, 784) }));
    const [[best]] = (await resultsOf(`run ${file} --input ${png}`)).results;
    expect(best).toEqual(after.results[0][0]);
  });

  test('a BNN-PYNQ folder keeps its classes, its pixels and its scores', async () => {
    const file = join(folder, 'cnv.safetensors');
    expect((await bnn(`convert ${CNV} ${file} --no-verify`)).code).toBe(0);
    expect(statSync(file).size).toBeLessThan(230_000);
    const { results } = await resultsOf(`run ${file} --input ${DEER} --top 1`);
    expect(results).toEqual([[{ label: 4, name: 'Deer', score: 412 }]]);
  });

  test("FINN's tfc, trained by its recipe, becomes a folder that gives the labels of the training", async () => {
    const run = join(folder, 'tfc run');
    const out = join(folder, 'tfc folder');
    const args = `train --model tfc --lr-halve-every 1 --epochs 2 --train-samples 2000 --test-samples 300`;
    const trained = await runCli(cli, [...args.split(' '), '--out', run]);
    expect(trained.stderr).toBe('');
    const { epochs } = JSON.parse(readFileSync(join(run, 'report.json'), 'utf8'));
    expect(epochs.map(({ learningRate }: { learningRate: number }) => learningRate)).toEqual([0.02, 0.01]);
    const converted = await runCli(cli, ['convert', run, `${out}/`]);
    expect(converted.stderr).toBe('');
    expect(converted.stdout).toMatch(/training run[\s\S]*verified +the same labels[\s\S]*files of BNN-PYNQ/);
    const labels = async (model: string) => {
      const args = ['run', model, '--dataset', 'mnist', '--samples', '300', '--top', '1', '--json'];
      const { accuracy, results } = JSON.parse((await runCli(cli, args)).stdout);
      return { accuracy, labels: results.map(([{ label }]: [{ label: number }]) => label) };
    };
    const before = await labels(run);
    expect(before.accuracy).toBeGreaterThan(0.6);
    expect(await labels(out)).toEqual(before);
    const again = await runCli(cli, ['convert', run, out]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/files in this folder already/);
    const refused = await runCli(cli, ['convert', QONNX, join(folder, 'qonnx/')]);
    expect(refused.stderr).toMatch(/BNN-PYNQ/);
    expect(existsSync(join(folder, 'qonnx'))).toBe(false);
  });

  test('an ONNX file, folded, and back again', async () => {
    const file = join(folder, 'tfc.safetensors');
    const { code, stdout } = await bnn(`convert ${QONNX} ${file} --fold`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ONNX[\s\S]*verified/);
    const inspected = JSON.parse((await bnn(`inspect ${file} --json`)).stdout);
    expect(inspected.format).toBe('webgpu-bnn');
    expect(inspected.total.binaryParameters).toBe(59_008);
    expect(inspected.fileBytes).toBe(readFileSync(file).length);
    expect(inspected.graph[0].inputs).toEqual(['input']);
    const back = await bnn(`convert ${file} ${join(folder, 'back.onnx')}`);
    expect(back.stderr).toBe('');
    expect(back.stdout).toMatch(
      /read .*webgpu-bnn[\s\S]*verified +read back[\s\S]*same outputs[\s\S]*back\.onnx/,
    );
    expect(back.stdout).toMatch(/note +nothing says how the network takes the bytes/);
  });

  test('rotations are packed where that is asked for, and what can not say them says what can', async () => {
    const network = sequential(
      [
        quantDense({ name: 'first', units: 64, kernelRotation: { seed: 3 } }),
        batchNormalization(),
        quantDense({ name: 'second', units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      ],
      { input: [200] },
    );
    const [whole, packed] = [join(folder, 'rotated of mine.safetensors'), join(folder, 'packed.safetensors')];
    writeFileSync(whole, await saveModel('safetensors', network, initialValues(network, 1)));
    const made = await runCli(cli, ['convert', whole, packed, '--pack-rotations']);
    expect(made.stderr).toBe('');
    expect(made.stdout).toMatch(/packed +first: a bit a weight[\s\S]*verified .*the same outputs/);
    expect(statSync(packed).size).toBeLessThan(statSync(whole).size / 8);
    const again = await runCli(cli, [
      'convert',
      packed,
      join(folder, 'again.safetensors'),
      '--pack-rotations',
    ]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/No layer[\s\S]*kernelRotation/)]);
    const lite = await runCli(cli, ['convert', packed, join(folder, 'packed.tflite')]);
    expect(lite.stderr).toMatch(
      /rotate \(first\.rotation\)[\s\S]*an ONNX file; or, where rotations were packed, the/,
    );
    for (const [from, to] of [
      [whole, 'whole.tflite'],
      [packed, 'packed.onnx'],
    ] as const) {
      expect((await runCli(cli, ['convert', from, join(folder, to)])).stdout).toContain('verified');
    }
  });

  test('a file that is there is replaced only if that was asked for, and a folder that holds files never', async () => {
    const file = join(folder, 'mine.safetensors');
    writeFileSync(file, 'mine');
    const refused = await bnn(`convert ${QONNX} ${file}`);
    expect(refused.stderr).toMatch(/There is a file of this name[\s\S]*mine\.safetensors[\s\S]*--overwrite/);
    expect([refused.code, refused.stdout, readFileSync(file, 'utf8')]).toEqual([2, '', 'mine']);
    const asked = await bnn(`convert ${QONNX} ${file} --overwrite --no-verify`);
    expect(asked.code, asked.stderr).toBe(0);
    expect((await bnn(`inspect ${file}`)).code).toBe(0);
    const held = join(folder, 'held');
    mkdirSync(held);
    writeFileSync(join(held, 'mine'), 'mine');
    const folded = await bnn(`convert ${CNV} ${held} --overwrite`);
    expect(folded.stderr).toMatch(/files in this folder already/);
    expect([folded.code, readFileSync(join(held, 'mine'), 'utf8')]).toEqual([2, 'mine']);
  });

  test('networks with several inputs and outputs, and pixels that no range is the name of', async () => {
    const [left, right] = [input([4, 4, 3]), input([4, 4, 3])];
    const sum = apply(add(), left, right);
    const scores = apply(quantDense({ units: 5, kernelQuantizer: 'steSign' }), apply(flatten(), sum));
    const net = model({ input: { left, right }, output: { sum, scores } });
    const pixels = { scale: [1, 2, 3], shift: [0, -1, 0.5], round: true };
    const source = join(folder, 'several.safetensors');
    writeFileSync(source, await saveModel('safetensors', net, initialValues(net, 1), { pixels }));
    const out = join(folder, 'several.onnx');
    const { stdout, stderr } = await bnn(`convert ${source} ${out}`);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/verified +read back from the disk: the same outputs/);
    expect((await resultsOf(`inspect ${out}`)).pixels).toEqual(pixels);
  });

  test('what is verified is the file on the disk: one that was damaged on its way there is not kept', async () => {
    const out = join(folder, 'damaged.safetensors');
    writeFileSync(out, 'what was there before');
    // A disk that changes a byte: everything after the file was written and flushed is as it is.
    const damage = join(folder, 'damage.mjs');
    const text = `
      import promises from 'node:fs/promises';
      import { readFileSync, writeFileSync } from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      const { open } = promises;
      promises.open = async (path, flags, ...rest) => {
        const file = await open(path, flags, ...rest);
        if (!String(path).endsWith('.partial')) return file;
        const { close } = file;
        file.close = async () => {
          await close.call(file);
          const bytes = readFileSync(path);
          bytes[bytes.length - 5] ^= 0x40;
          writeFileSync(path, bytes);
        };
        return file;
      };
      syncBuiltinESMExports();`;
    writeFileSync(damage, text);
    const env = { NODE_OPTIONS: `--import=${pathToFileURL(damage).href}` };
    const { code, stderr } = await runCli(cli, ['convert', QONNX, out, '--overwrite'], { env });
    expect(stderr).toMatch(/FormatError/);
    expect(code).toBe(1);
    expect(readFileSync(out, 'utf8')).toBe('what was there before');
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  test.each([
    ['an ending that is not written', `convert ${QONNX} x.h5`, 2, /h5[\s\S]*safetensors/],
    [
      'a network whose tensors do not stand in a file',
      `convert ${QONNX} x.gguf`,
      1,
      /begins as ONNX does[\s\S]*convert .*model\.safetensors/,
    ],
    ['a model that is not there', 'convert nowhere x.safetensors', 1, /no such model/],
    ['a picture of another size', `run ${CNV} --input demo/icon.png`, 1, /StorageError/],
  ])('%s', async (_, args, expected, message) => {
    const { code, stderr } = await bnn(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
    expect(existsSync('x.gguf')).toBe(false);
  });
});

describe('ONNX files with channels last', () => {
  test('inspect says which axis is what, and convert writes them as .tflite that runs the same', async () => {
    const file = join(folder, 'channels-last.onnx');
    writeFileSync(
      file,
      fileOf({
        input: [1, 4, 6, 3],
        constants: {
          w: [
            [2, 3, 1, 1],
            [1, -2, 3, 0.5, 0, -1],
          ],
        },
        nodes: [
          ['Transpose', ['x'], { perm: [0, 3, 1, 2] }],
          ['Conv', ['n0', 'w']],
          ['Transpose', ['n1'], { perm: [0, 2, 3, 1] }],
        ],
        output: [1, 4, 6, 2],
      }),
    );
    const inspected = await bnn(`inspect ${file}`);
    expect(inspected.stderr).toBe('');
    expect(inspected.stdout).toContain('input    x [batch, height 4, width 6, channels 3]');
    expect(inspected.stdout).toContain('output   n2 [batch, height 4, width 6, channels 2]');
    const { layers } = await resultsOf(`inspect ${file}`);
    expect(layers.map(({ kind }: { kind: string }) => kind)).toEqual(['conv2d']);

    const lite = join(folder, 'channels-last.tflite');
    const converted = await bnn(`convert ${file} ${lite}`);
    expect(converted.stderr).toBe('');
    expect(converted.stdout).toMatch(/verified +read back from the disk: the same outputs/);
    expect(converted.code).toBe(0);
  });
});

describe('ONNX files with channels last', () => {
  test('inspect says which axis is what, and convert writes them as .tflite that runs the same', async () => {
    const file = join(folder, 'channels-last-2.onnx');
    writeFileSync(
      file,
      fileOf({
        input: [1, 4, 6, 3],
        constants: {
          w: [
            [2, 3, 1, 1],
            [1, -2, 3, 0.5, 0, -1],
          ],
        },
        nodes: [
          ['Transpose', ['x'], { perm: [0, 3, 1, 2] }],
          ['Conv', ['n0', 'w']],
          ['Transpose', ['n1'], { perm: [0, 2, 3, 1] }],
        ],
        output: [1, 4, 6, 2],
      }),
    );
    const inspected = await bnn(`inspect ${file}`);
    expect(inspected.stderr).toBe('');
    expect(inspected.stdout).toContain('input    x [batch, height 4, width 6, channels 3]');
    expect(inspected.stdout).toContain('output   n2 [batch, height 4, width 6, channels 2]');
    const { layers } = await resultsOf(`inspect ${file}`);
    expect(layers.map(({ kind }: { kind: string }) => kind)).toEqual(['conv2d']);

    const lite = join(folder, 'channels-last-2.tflite');
    const converted = await bnn(`convert ${file} ${lite}`);
    expect(converted.stderr).toBe('');
    expect(converted.stdout).toMatch(/verified +read back from the disk: the same outputs/);
    expect(converted.code).toBe(0);
  });
});
