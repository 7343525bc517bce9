/** `webgpu-bnn convert`, as users run it: trainings and other formats become files that run the same. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImages } from '../src/cli/images.ts';
import { FormatError } from '../src/errors.ts';
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
  rmSync(dirname(cli), { recursive: true, force: true });
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
    expect(stdout).toMatch(/read .*training run, \d+\.\d MB[\s\S]*verified[\s\S]*written .*kB/);
    // 784·512 + 512·512 + 512·10 bits, and four floats for each of 1,034 channels.
    expect(statSync(file).size).toBeLessThan((784 * 512 + 512 * 512 + 5120) / 8 + 16 * 1034 + 8192);

    const lite = join(folder, 'mlp.tflite');
    const converted = await bnn(`convert ${file} ${lite}`);
    expect(converted.stderr).toBe('');
    expect(converted.stdout).toMatch(
      /read .*webgpu-bnn[\s\S]*verified +the same outputs[\s\S]*--pixels -1:1/,
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
    expect(back.stdout).toMatch(/read .*webgpu-bnn[\s\S]*verified +the same outputs[\s\S]*back\.onnx/);
  });

  test.each([
    ['an ending that is not written', `convert ${QONNX} x.gguf`, 2, /gguf[\s\S]*safetensors/],
    ['a model that is not there', 'convert nowhere x.safetensors', 1, /no such model/],
    ['a picture of another size', `run ${CNV} --input demo/icon.png`, 1, /StorageError/],
  ])('%s', async (_, args, expected, message) => {
    const { code, stderr } = await bnn(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
    expect(existsSync('x.gguf')).toBe(false);
  });
});

describe('pictures', () => {
  const picture = (channels: number, width = 28) =>
    encode({ width, height: 28, channels, data: new Uint8Array(width * 28 * channels).fill(200) });

  test.each<[string, Uint8Array, RegExp]>([
    ['wide.png', picture(1, 30), /28 x 30, 1 channels[\s\S]*28 x 28 x 1/],
    ['colour.png', picture(3), /3 channels/],
    ['damaged.png', picture(1).fill(7, 40, 60), /can't be decoded/],
    ['photo.jpg', new Uint8Array([0xff, 0xd8, 0xff]), /JPEG/],
    ['empty.npy', new Uint8Array([0x93, 0x4e, 0x55]), /NumPy/],
  ])('%s is refused', async (name, bytes, message) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    await expect(readImages(path, [28, 28, 1])).rejects.toThrow(FormatError);
    await expect(readImages(path, [28, 28, 1])).rejects.toThrow(message);
  });

  test('alpha is left out', async () => {
    for (const [channels, shape] of [
      [2, [28, 28, 1]],
      [4, [28, 28, 3]],
    ] as const) {
      const path = join(folder, `alpha${channels}.png`);
      writeFileSync(path, picture(channels));
      expect(await readImages(path, shape)).toEqual(new Uint8Array(784 * shape[2]).fill(200));
    }
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
    expect(converted.stdout).toMatch(/verified +the same outputs/);
    expect(converted.code).toBe(0);
  });
});
