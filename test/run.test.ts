/** `webgpu-bnn run` and `inspect`, as users run them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { zipSync } from 'fflate';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseIdx } from '../src/data/index.ts';
import { saveModel } from '../src/formats/index.ts';
import { initialValues, sequential } from '../src/graph/index.ts';
import { flatten, quantDense } from '../src/layers/index.ts';
import { buildCli, runCli } from './helpers/cli.ts';

const FIXTURES = 'test/fixtures';
const LFC = `${FIXTURES}/bnn-pynq/mnist-lfcW1A1`;
const CNV = `${FIXTURES}/bnn-pynq/cifar10-cnvW1A1`;
const FINN = `${FIXTURES}/finn-tfc/model.onnx`;
const QONNX = `${FIXTURES}/qonnx-tfc/TFC_1W1A.onnx`;

let cli = '';
const bnn = (args: string) => runCli(cli, args.split(' '));

beforeAll(async () => {
  cli = await buildCli();
});

describe('run', () => {
  test('a CIFAR-10 record: the best classes by name, with their scores', async () => {
    const { code, stdout } = await bnn(`run ${CNV} --input ${FIXTURES}/bnn-pynq/deer.bin --top 2`);
    expect(code).toBe(0);
    expect(stdout).toContain('Deer (412), Horse (262)');
    expect(stdout).toMatch(/ms an image/);
  });

  test('the same scores on every engine, which is said', async () => {
    const deer = `run ${CNV} --input ${FIXTURES}/bnn-pynq/deer.bin --top 10`;
    const wasm = await bnn(`${deer} --engine wasm --threads 2`);
    expect(wasm.stdout).toMatch(/^engine +WebAssembly, on the processor, 2 threads$/m);
    const gpu = await bnn(`${deer} --engine gpu`);
    expect(gpu.stdout).toMatch(/^adapter +\S/m);
    const scores = (stdout: string) => stdout.split('\n').filter((line) => line.includes('Deer (412)'));
    expect(scores(wasm.stdout)).toEqual(scores(gpu.stdout));
    expect(scores(wasm.stdout)).toHaveLength(1);
    // By itself: hardware, or the processor.
    const { engine, adapter } = JSON.parse((await bnn(`${deer} --json`)).stdout);
    expect(engine).toBe(adapter === undefined ? 'wasm' : 'gpu');
    expect(adapter?.software ?? false).toBe(false);
    const both = await bnn(`${deer} --engine wasm --adapter software`);
    expect([both.code, both.stderr]).toEqual([
      2,
      expect.stringContaining('--engine wasm --adapter software'),
    ]);
    expect((await bnn(`${deer} --threads 0`)).code).toBe(2);
  });

  test('a network that the processor does not run, on a GPU in software by itself', async () => {
    const inputs = { inputQuantizer: 'magnitudeAwareSign', inputGroupScale: 2 } as const;
    const model = sequential([flatten(), quantDense({ units: 3, kernelQuantizer: 'steSign', ...inputs })], {
      input: [2, 2, 1],
    });
    const folder = mkdtempSync(join(tmpdir(), 'groups of it '));
    const [file, image] = [join(folder, 'groups.safetensors'), join(folder, 'image.png')];
    writeFileSync(file, await saveModel('safetensors', model, initialValues(model, 1)));
    const data = Uint8Array.of(0, 60, 130, 255);
    writeFileSync(image, encode({ width: 2, height: 2, channels: 1, data }));
    const run = ['run', file, '--input', image, '--pixels', '-1:1', '--json'];
    const { engine, results } = JSON.parse((await runCli(cli, run)).stdout);
    expect({ engine, results: results.length }).toEqual({ engine: 'gpu', results: 1 });
    expect((await runCli(cli, [...run, '--engine', 'wasm'])).stderr).toMatch(/run the network on a GPU/);
    const page = await runCli(cli, ['export', file, join(folder, 'page'), '--pixels', '-1:1']);
    expect(page.stderr).toMatch(/for visitors without a GPU, too[\s\S]*steSign/);
    rmSync(folder, { recursive: true });
  });

  test('an idx file, as JSON', async () => {
    const { code, stdout } = await bnn(`run ${LFC} --input ${FIXTURES}/bnn-pynq/3.image-idx3-ubyte --json`);
    expect(code).toBe(0);
    const { format, count, results } = JSON.parse(stdout);
    expect({ format, count, label: results[0][0].label }).toEqual({ format: 'BNN-PYNQ', count: 1, label: 3 });
  });

  test('a .npy file through an ONNX network', async () => {
    const { code, stdout } = await bnn(`run ${FINN} --input ${FIXTURES}/finn-tfc/input.npy --top 1`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/image 0 +2 \(/);
  });

  test('the accuracy on a data set, whatever range the pixels have', async () => {
    const qonnx = await bnn(`run ${QONNX} --dataset mnist --samples 500 --pixels 0:1 --json`);
    const finn = await bnn(`run ${FINN} --dataset mnist --samples 500 --pixels 0:255 --json`);
    const [a, b] = [JSON.parse(qonnx.stdout), JSON.parse(finn.stdout)];
    expect(a.count).toBe(500);
    expect(a.accuracy).toBeGreaterThan(0.88);
    expect(a.correct / 500).toBe(a.accuracy);
    expect(b.results.map((best: { label: number }[]) => best[0]?.label)).toEqual(
      a.results.map((best: { label: number }[]) => best[0]?.label),
    );
  });

  test('a digit as a larger, coloured picture and as an array in either order; a folder of pictures', async () => {
    const { data } = parseIdx(
      new Uint8Array(readFileSync(`${FIXTURES}/bnn-pynq/3.image-idx3-ubyte`)),
      'three',
    );
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn run #'));
    const large = Uint8Array.from({ length: 3 * 84 * 84 }, (_, i) => {
      const [row, column] = [Math.floor(i / 3 / 84), Math.floor(i / 3) % 84];
      return data[Math.floor(row / 3) * 28 + Math.floor(column / 3)] ?? 0;
    });
    const run = async (...args: string[]) =>
      JSON.parse((await runCli(cli, ['run', LFC, ...args, '--json'])).stdout);
    writeFileSync(join(folder, 'large.png'), encode({ width: 84, height: 84, channels: 3, data: large }));
    writeFileSync(join(folder, 'small.png'), encode({ width: 28, height: 28, channels: 1, data }));
    const [exact] = (await run('--input', `${FIXTURES}/bnn-pynq/3.image-idx3-ubyte`)).results;
    const pictures = await run('--input', folder);
    expect(pictures.results).toEqual([exact, exact]);
    expect(pictures.files).toEqual([join(folder, 'large.png'), join(folder, 'small.png')]);
    expect(pictures.notes).toEqual([`${join(folder, 'large.png')}: resized from 84 x 84 to 28 x 28 (area)`]);
    const listed = await run('--input', join(folder, 'small.png'), join(folder, 'large.png'));
    expect(listed.files).toEqual([join(folder, 'small.png'), join(folder, 'large.png')]);
    expect(await run('--input', `${folder}/*.png`)).toMatchObject({ files: pictures.files, count: 2 });

    // The header's shape and order decide: [1, 1, 28, 28], and column by column.
    const npy = (descr: string, order: string, body: Uint8Array) => {
      const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (1, 1, 28, 28), }`.padEnd(117);
      return Buffer.concat([
        Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]),
        Buffer.from(`${text}\n`),
        body,
      ]);
    };
    const columns = Uint8Array.from({ length: 784 }, (_, i) => data[(i % 28) * 28 + Math.floor(i / 28)] ?? 0);
    writeFileSync(join(folder, 'c.npy'), npy('|u1', 'False', data));
    writeFileSync(join(folder, 'f.npy'), npy('|u1', 'True', columns));
    for (const name of ['c.npy', 'f.npy']) {
      const { results, notes } = await run('--input', join(folder, name));
      expect(results).toEqual([exact]);
      expect(notes).toEqual([`${join(folder, name)}: [1, 1, 28, 28] |u1 read as one channel`]);
    }
    const { stdout } = await runCli(cli, ['run', LFC, '--input', folder, '--top', '1']);
    expect(stdout).toMatch(/note +.*large\.png: resized[\s\S]*small\.png 3 \(/);
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['nothing to run on', `run ${LFC}`, 2, /--input FILE or --dataset NAME/],
    ['no such model', 'run nowhere.onnx --dataset mnist', 1, /no such model/],
    [
      'a file that is no network',
      'run package.json --dataset mnist',
      1,
      /no model that can be read[\s\S]*ONNX/,
    ],
    [
      'images of another size',
      `run ${CNV} --input ${FIXTURES}/bnn-pynq/3.image-idx3-ubyte`,
      1,
      /32 x 32 x 3/,
    ],
    ['a data set of another size', `run ${CNV} --dataset mnist`, 2, /32 x 32 x 3/],
    [
      'numbers of another shape',
      `run ${FINN} --input ${FIXTURES}/finn-tfc/expected_output.npy`,
      1,
      /don't fit the network[\s\S]*<f4|<i8/,
    ],
    [
      'bytes where nothing says how they are taken',
      `run ${QONNX} --dataset mnist`,
      2,
      /--pixels 0:1[\s\S]*--pixels -1:1/,
    ],
    ['a pattern that nothing matches', `run ${LFC} --input nowhere/*.png`, 1, /No file matches/],
    ['a folder without pictures', `run ${LFC} --input test/helpers`, 1, /no pictures in this folder/],
    ['two inputs', `run ${LFC} --dataset mnist --input x`, 2, /cannot be used with/],
  ])('%s', async (_, args, expected, message) => {
    const { code, stderr } = await bnn(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });
});

describe('inspect', () => {
  test('the layers, and what was folded', async () => {
    const { code, stdout } = await bnn(`inspect ${QONNX}`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/folded .*BatchNormalization_17/);
    expect(stdout).toMatch(/fused .* with /);
    expect(stdout).toMatch(/packed .*one bit a value leaves /);
    expect(stdout).toMatch(/total +59,008/);
    expect(stdout).toMatch(/pixels +the file does not say/);
  });

  test('from a URL, and what a server says when there is nothing', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/tfc') response.end(readFileSync(QONNX));
      else response.writeHead(404, 'Not Found').end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { stdout } = await bnn(`inspect ${base}/tfc`);
    expect(stdout).toMatch(/format +ONNX[\s\S]*total +59,008/);
    const missing = await bnn(`inspect ${base}/tfx`);
    expect(missing.stderr).toMatch(/404 Not Found/);
    expect(missing.code).toBe(4);
    server.close();
  });

  test('files of other systems are told what they are, and what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-foreign-'));
    const files: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ['net-0001.params', new Uint8Array([0x12, 1, 0, 0, 0, 0, 0, 0, 1]), /MXNet[\s\S]*as ONNX/],
      [
        'net.pth',
        zipSync({ 'net/data.pkl': new Uint8Array([0x80, 2]) }),
        /PyTorch[\s\S]*torch\.onnx\.export/,
      ],
    ];
    for (const [name, bytes, message] of files) {
      writeFileSync(join(folder, name), bytes);
      const { code, stderr } = await runCli(cli, ['inspect', join(folder, name)]);
      expect(stderr).toMatch(message);
      expect(stderr).toContain(name);
      expect(code).toBe(1);
    }
    rmSync(folder, { recursive: true });
  });

  test('as JSON', async () => {
    const { stdout } = await bnn(`inspect ${CNV} --json`);
    const { format, classes, total, graph } = JSON.parse(stdout);
    // From the first threshold to the last product everything is bits.
    const bits = graph.map(({ outputBits }: { outputBits: number }) => outputBits);
    expect(bits.slice(bits.indexOf(1), -1).every((width: number) => width === 1)).toBe(true);
    expect(bits.at(-1)).toBe(32);
    expect(format).toBe('BNN-PYNQ');
    expect(classes[4]).toBe('Deer');
    expect(total.binaryParameters).toBe(1_542_848);
  });
});
