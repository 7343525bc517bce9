/** The command line: what it prints and writes, how it stops and goes on, and how it fails. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { protectFiles } from '../src/cli/output.ts';
import { trainerOptions } from '../src/cli/runs.ts';
import { LOG_FILES } from '../src/node/training-log.ts';
import type { RunOptions } from '../src/reports/story.ts';
import type { TrainReport } from '../src/reports/training.ts';
import { buildCli, type CliOptions, runCli } from './helpers/cli.ts';
import { drawShapes } from './helpers/drawn-shapes.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

const CLI = join(import.meta.dirname, '..', 'src', 'cli');

let cli = '';
let folder = '';
// Called in an empty folder: runs that a clone holds already are in nobody's way.
const bnn = (args: string, options?: CliOptions) =>
  runCli(cli, args.split(' '), { cwd: join(folder, 'empty'), ...options });

beforeAll(async () => {
  cli = await buildCli();
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-cli-'));
  mkdirSync(join(folder, 'empty'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SMALL = '--train-samples 2000 --test-samples 500 --epochs 2 --batch 100 --seed 5';
const readReport = (run: string) =>
  JSON.parse(readFileSync(join(folder, run, 'report.json'), 'utf8')) as TrainReport;

describe('train', () => {
  test('trains, prints a table a layer, and writes checkpoint, report.json and report.html', async () => {
    const { code, stdout, stderr } = await bnn(`train ${SMALL} --out ${folder}/a`);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/adapter .*\n/);
    expect(stdout).toMatch(/epoch 2\/2 {2}loss \d/);
    expect(stdout).toMatch(/dense1\/kernel │ 512 x 784 │ +1 │ \d+\.\d\d ± \d\.\d\d° │ +37\.0\d°/);
    const report = readReport('a');
    expect(report.epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(report.finalTestAccuracy).toBeGreaterThan(0.6);
    expect(report.finalTestAccuracy).toBe(report.epochs[1]?.testAccuracy);
    expect(report.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(report.peakGpuBytes).toBeGreaterThan(1e6);
    expect(report.seed).toBe(5);
    const confusion = report.mistakes?.confusion ?? [];
    expect(confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(500);
    expect(confusion.reduce((sum, counts, label) => sum + (counts[label] ?? 0), 0)).toBe(
      Math.round(500 * report.finalTestAccuracy),
    );
    expect(report.mistakes?.surest).toHaveLength(12);
    // Uniform weights at the start: 30 degrees, with a standard error of 18°/√(d·filters).
    for (const [index, { angleDegrees }] of report.initial.entries()) {
      const layer = report.layers[index];
      expect(Math.abs(angleDegrees - 30)).toBeLessThan(
        (4 * 18.2) / Math.sqrt((layer?.fanIn ?? 1) * (layer?.filters ?? 1)),
      );
    }
    for (const { angles, filters } of report.layers) {
      expect(angles.counts.reduce((sum, count) => sum + count, 0)).toBe(filters);
    }
    const html = readFileSync(join(folder, 'a', 'report.html'), 'utf8');
    expect(html).toContain('role="img"');
    expectSelfContained(contentOf(html));
    expect(existsSync(join(folder, 'a', 'checkpoint.safetensors'))).toBe(true);
  });

  test('interrupted twice by Ctrl-C and once by a kill, it resumes to the same weights', async () => {
    const uninterrupted = readReport('a').weightsSha256;
    const out = `${folder}/b`;
    // The first signal as soon as the training begins, then after resumption.
    const interruptAt = (mark: RegExp, signal: NodeJS.Signals): CliOptions => {
      let sent = false;
      return {
        onOutput: (kill, printed) => {
          if (sent || !mark.test(printed)) return;
          sent = true;
          setTimeout(() => kill(signal), 300);
        },
      };
    };
    const first = await bnn(
      `train ${SMALL} --out ${out} --checkpoint-every 3`,
      interruptAt(/memory /, 'SIGINT'),
    );
    expect(first.code).toBe(130);
    expect(first.stdout).toContain(`webgpu-bnn train --resume ${out}`);
    const second = await bnn(
      `train --resume ${out} --checkpoint-every 3`,
      interruptAt(/resumed /, 'SIGKILL'),
    );
    expect(second.code).toBe(null);
    const third = await bnn(`train --resume ${out} --checkpoint-every 3`, interruptAt(/resumed /, 'SIGINT'));
    expect(third.code).toBe(130);
    const last = await bnn(`train --resume ${out}`);
    expect(last.stderr).toBe('');
    expect(last.code).toBe(0);
    expect(readReport('b').weightsSha256).toBe(uninterrupted);
    expect(readReport('b').epochs.map(({ trainLoss }) => trainLoss)).toEqual(
      readReport('a').epochs.map(({ trainLoss }) => trainLoss),
    );
  });

  test('--json - prints the report and nothing else', async () => {
    const { code, stdout } = await bnn(
      `train --train-samples 200 --test-samples 100 --epochs 1 --out ${folder}/json --json -`,
    );
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as TrainReport).dataset).toBe('mnist');
  });
});

describe('nothing is lost', () => {
  test('a saved run is replaced only if that was asked for; the remedy names what there is to do', async () => {
    const before = readFileSync(join(folder, 'a', 'checkpoint.safetensors'));
    const { code, stdout, stderr } = await bnn(`train ${SMALL} --out ${folder}/a`);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/saved run[\s\S]*--resume [\s\S]*--overwrite[\s\S]*--out/);
    // Nor by one that goes on elsewhere.
    const other = await bnn(`train --resume ${folder}/json --out ${folder}/a`);
    expect(other.code).toBe(2);
    expect(readFileSync(join(folder, 'a', 'checkpoint.safetensors'))).toEqual(before);
    const again = await bnn(
      `train --train-samples 200 --test-samples 100 --epochs 1 --out ${folder}/json --overwrite`,
    );
    expect(again.code, again.stderr).toBe(0);
  });

  test('no file that an option names is replaced unasked, by any command', async () => {
    const names = [...(await bnn('--help')).stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(
      ([, name = '']) => name,
    );
    const mine = join(folder, 'mine.json');
    writeFileSync(mine, 'mine');
    const tried: string[] = [];
    const READ = ['--resume', '--input', '--labels', '--queries', '--nats-creds', '--nats-ca'];
    for (const name of names) {
      // A start of each costs more than the check: what main.ts does with a command is done here.
      const file = readdirSync(CLI).find(
        (own) =>
          own.endsWith('.ts') &&
          readFileSync(join(CLI, own), 'utf8').includes(`export function ${name}Command(`),
      );
      const { [`${name}Command`]: commandOf } = (await import(join(CLI, file ?? name))) as Record<
        string,
        () => Command
      >;
      const whole = commandOf?.() ?? expect.fail(name);
      for (const help of [whole, ...whole.commands]) {
        const words = [...(help === whole ? [] : [help.name()])];
        for (const { required } of help.registeredArguments) if (required) words.push('x');
        for (const { long, flags } of help.options) {
          if (!/[<[]file[.\w]*[>\]]/.test(flags) || READ.includes(long ?? '')) continue;
          const given = [name, ...words.filter((word) => word !== 'x'), long].join(' ');
          tried.push(given);
          const command = commandOf?.() ?? expect.fail(name);
          protectFiles(command);
          const parsing = command.parseAsync(['node', name, ...words, `${long}=${mine}`]);
          await expect(parsing, given).rejects.toThrow(
            /There is a file of this name[\s\S]*mine\.json[\s\S]*--overwrite/,
          );
        }
      }
    }
    expect(readFileSync(mine, 'utf8')).toBe('mine');
    expect(tried).toEqual(
      expect.arrayContaining([
        ...['train', 'eval', 'run', 'inspect', 'geometry', 'paper', 'bench', 'tune', 'data', 'doctor'].map(
          (name) => `${name} --json`,
        ),
        ...['geometry --csv', 'geometry --html', 'bench --html', 'bench --markdown', 'data inspect --sheet'],
      ]),
    );
    const unasked = await bnn(`inspect ${folder}/a/checkpoint.safetensors --json ${mine}`);
    expect(unasked.stderr).toMatch(/OptionError: There is a file of this name already[\s\S]*--overwrite/);
    expect([unasked.code, unasked.stdout, readFileSync(mine, 'utf8')]).toEqual([2, '', 'mine']);
    const asked = await bnn(`inspect ${folder}/a/checkpoint.safetensors --json ${mine} --overwrite`);
    expect(asked.code, asked.stderr).toBe(0);
    expect(JSON.parse(readFileSync(mine, 'utf8'))).toHaveProperty('layers');
  });

  test('nor files that a folder of a run or of a paper already holds', async () => {
    const strange = join(folder, 'strange');
    mkdirSync(strange);
    for (const [file, command] of [
      ['report.html', `train ${SMALL} --out ${strange}`],
      ['paper.html', `paper ${folder}/a --out ${strange}`],
      ['paper.json', `paper --dataset mnist --out ${strange}`],
    ] as const) {
      writeFileSync(join(strange, file), 'mine');
      const { code, stderr } = await bnn(command);
      expect(stderr, command).toMatch(
        new RegExp(`There is a file of this name[\\s\\S]*${file}[\\s\\S]*--overwrite`),
      );
      expect(code, command).toBe(2);
      expect(readFileSync(join(strange, file), 'utf8')).toBe('mine');
      rmSync(join(strange, file));
    }
  });

  test('more epochs than it had take a run beyond its end, with its schedule over all of them', async () => {
    const { code, stdout, stderr } = await bnn(`train --resume ${folder}/json --epochs 3`);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('schedule  learning rate 0.02 to 0.001, exponentially over all 3 epochs');
    expect(readReport('json').epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(readReport('json').options.epochs).toBe(3);
    expect(readReport('json').epochs[2]?.learningRate).toBeCloseTo(0.001, 6);
    const complete = await bnn(`train --resume ${folder}/json`);
    expect(complete.stdout).toMatch(/complete +at step \d+, the end of epoch 3; to go on: --epochs 6/);
    const fewer = await bnn(`train --resume ${folder}/json --epochs 2`);
    expect(fewer.code).toBe(2);
    expect(fewer.stderr).toMatch(/3, or more/);
  });

  test('two trainings into one folder: the second is told of the first; a killed one is no hindrance', async () => {
    const out = `${folder}/twice`;
    let second: Promise<{ code: number | null; stderr: string }> | undefined;
    let kill: ((signal: NodeJS.Signals) => void) | undefined;
    const first = bnn(`train --train-samples 2000 --test-samples 100 --epochs 500 --out ${out}`, {
      onOutput: (signal, printed) => {
        kill = signal;
        if (second !== undefined || !printed.includes('memory ')) return;
        second = bnn(`train --train-samples 200 --test-samples 100 --epochs 1 --overwrite --out ${out}`);
        void second.finally(() => kill?.('SIGKILL'));
      },
    });
    expect((await first).code).toBe(null);
    const { code, stderr } = (await second) ?? {};
    expect(stderr).toMatch(/Another process writes into this folder[\s\S]*process \d+ on /);
    expect(code).toBe(1);
    const third = await bnn(
      `train --train-samples 200 --test-samples 100 --epochs 1 --overwrite --out ${out}`,
    );
    expect(third.code, third.stderr).toBe(0);
    expect(readdirSync(out).sort()).toEqual(
      ['checkpoint.safetensors', 'report.html', 'report.json', ...Object.values(LOG_FILES)].sort(),
    );
  });
});

describe('folders', () => {
  const call = (...args: string[]) => runCli(cli, args, { cwd: join(folder, 'empty') });
  const FEW = ['--model', 'tfc', '--train-samples', '200', '--test-samples', '100', '--epochs', '1'];

  test.each([
    ['train', '--out'],
    ['paper', '--dataset', 'mnist', '--out'],
    ['compare', '--methods', 'steSign', '--out'],
    ['compare', '--methods', 'steSign', '--dataset', 'PICTURES', '--size', '8', '--out'],
    ['train', '--dataset', 'PICTURES', '--size', '8', '--out'],
    ['export', 'absent'],
    ['kit', '--out'],
  ])('of others are left as they are: %s %s', async (...args) => {
    const pictures = join(folder, 'my pictures');
    drawShapes(pictures, 0, 5);
    const names = readdirSync(pictures, { recursive: true });
    const given = args.map((arg) => (arg === 'PICTURES' ? pictures : arg));
    const { code, stdout, stderr } = await call(...given, pictures);
    expect(stderr).toMatch(/files in this folder already[\s\S]*my pictures, with [\s\S]*another folder/);
    if (given.includes(pictures)) {
      // Nor is anything put into a folder of theirs: it would be a class without pictures.
      const within = await call(...given, join(pictures, 'new'));
      expect([within.code, within.stderr]).toEqual([2, expect.stringContaining('read as more of them')]);
    }
    expect([code, stdout]).toEqual([2, '']);
    expect(readdirSync(pictures, { recursive: true })).toEqual(names);
  });

  test('are taken empty, but for what is hidden or printed, and again where they are of the same kind', async () => {
    const [run, site] = [join(folder, 'a run'), join(folder, 'a page')];
    mkdirSync(run);
    for (const name of ['.gitkeep', 'log.txt']) writeFileSync(join(run, name), '');
    const made = await call('train', ...FEW, '--out', run);
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect((await call('train', ...FEW, '--out', run)).stderr).toContain('saved run');
    const kept = readdirSync(run);
    for (const args of [
      ['export', run, run],
      ['export', run, run, '--overwrite'],
      ['compare', '--methods', 'steSign', '--out', run],
    ]) {
      const mixed = await call(...args);
      expect([mixed.code, mixed.stderr]).toEqual([
        2,
        expect.stringContaining('files in this folder already'),
      ]);
    }
    expect(readdirSync(run)).toEqual(kept);
    expect((await call('train', ...FEW, '--out', run, '--overwrite')).code).toBe(0);

    mkdirSync(site);
    expect((await call('export', run, site)).code).toBe(0);
    writeFileSync(join(site, 'CNAME'), 'example.org');
    expect((await call('export', run, site)).stderr).toContain('--overwrite');
    expect((await call('export', run, site, '--overwrite')).code).toBe(0);

    // What goes on in a folder of something else begins in a new one.
    const other = await call('compare', '--resume', site);
    expect(other.stderr).toMatch(/no comparison here[\s\S]*in a new folder: .*--out FOLDER/);
    expect((await call('train', '--resume', site)).stderr).toMatch(/in a new folder: .*train --out FOLDER/);

    // Of runs and comparisons the runs are reported, and the others named.
    const compared = join(folder, 'compared');
    mkdirSync(compared);
    writeFileSync(join(compared, 'comparison.json'), '{}');
    const html = join(folder, 'both.html');
    const report = await call('report', run, compared, '--html', html);
    expect([report.code, report.stderr]).toEqual([0, '']);
    expect(report.stdout).toContain(`left out  ${compared}: a comparison`);
    expect(readFileSync(html, 'utf8')).toContain('a run');
    expect((await call('report', compared, '--html', join(folder, 'none.html'))).stderr).toContain(
      'holds a comparison',
    );

    // A forgotten ending, and one that is of nothing.
    expect((await call('convert', run, join(folder, 'x.onx'))).stderr).toMatch(
      /\.safetensors, \.onnx, \.tflite[\s\S]*\.gguf[\s\S]*did you mean \.onnx\?/,
    );
    const mlp = join(folder, 'an mlp');
    expect((await call('train', ...FEW.slice(2), '--out', mlp)).code).toBe(0);
    expect((await call('convert', mlp, join(folder, 'mine'))).stderr).toMatch(
      /name without an ending[\s\S]*\.safetensors, \.onnx, \.tflite/,
    );
    writeFileSync(join(folder, 'mine.mjs'), 'export const a = 1;');
    expect((await call('run', mlp, join(folder, 'mine.mjs'))).stderr).toMatch(
      /no file of images[\s\S]*PNG.*npy/,
    );
  });

  test('runs says where nothing is trained yet how to begin; a path that was typed is there', async () => {
    const none = await call('runs');
    expect([none.code, none.stderr]).toEqual([0, '']);
    expect(none.stdout).toMatch(/^Nothing is trained yet.*npx webgpu-bnn train\n$/);
    const json = await call('runs', '--json');
    expect(JSON.parse(json.stdout)).toEqual({ runs: [], comparisons: [], broken: [] });
    const typed = await call('runs', 'runs');
    expect([typed.code, typed.stderr]).toEqual([1, expect.stringContaining('check the path')]);
  });

  test('a name that a module does not export is named with the nearest, also in what it imports', async () => {
    const home = join(folder, 'node_modules', 'webgpu-bnn');
    mkdirSync(home, { recursive: true });
    const entry = pathToFileURL(join(dirname(cli), 'index.js')).href;
    writeFileSync(join(home, 'index.mjs'), `export * from ${JSON.stringify(entry)};`);
    writeFileSync(
      join(home, 'package.json'),
      '{"exports": {".": {"types": "./x", "default": "./index.mjs"}}}',
    );
    const [own, outer] = [join(folder, 'own.mjs'), join(folder, 'outer.mjs')];
    writeFileSync(own, "import { maxPooling2d } from 'webgpu-bnn'; export default maxPooling2d;");
    writeFileSync(outer, "import own from './own.mjs'; export default own;");
    for (const model of [own, outer]) {
      const { code, stderr } = await call('train', '--model', model);
      expect(stderr).toMatch(/does not provide an export named[\s\S]*did you mean maxPool2d\?/);
      expect([code, /\.mjs, or have/.test(stderr)]).toEqual([2, false]);
    }
  });
});

describe('eval', () => {
  test('gives the accuracy and the hash that training gave', async () => {
    const { code, stdout } = await bnn(`eval ${folder}/a --json -`);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as { accuracy: number; weightsSha256: string; count: number };
    expect(result.accuracy).toBe(readReport('a').finalTestAccuracy);
    expect(result.weightsSha256).toBe(readReport('a').weightsSha256);
    expect(result.count).toBe(500);
    const wasm = await bnn(`eval ${folder}/a --json - --engine wasm`);
    const { engine, loss, ...other } = JSON.parse(wasm.stdout) as typeof result & Record<string, unknown>;
    expect(engine).toBe('wasm');
    expect([other.accuracy, other.weightsSha256, other.count]).toEqual([
      result.accuracy,
      result.weightsSha256,
      500,
    ]);
    expect(loss).toBeCloseTo((result as unknown as { loss: number }).loss, 4);
  });
});

describe('what goes wrong', () => {
  const damaged = (name: string, change: (file: string) => void): string => {
    const path = join(folder, name, 'checkpoint.safetensors');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, readFileSync(join(folder, 'a', 'checkpoint.safetensors')));
    change(path);
    return join(folder, name);
  };

  test.each([
    ['a misspelt model', 'train --model mpl', 2, /Did you mean mlp\?/],
    ['a misspelt model to compare', 'compare --model mpl', 2, /Did you mean mlp\?/],
    ['a misspelt data set', 'train --dataset minst', 2, /Did you mean mnist\?/],
    ['a misspelt data set to get', 'data minst', 2, /Did you mean mnist\?/],
    ['a misspelt choice', 'train --optimizer adma', 2, /Did you mean adam\?/],
    ['a misspelt part', 'setup wegbpu', 2, /Did you mean webgpu\?/],
    ['an unknown command', 'tran', 2, /unknown command 'tran'/],
    ['an unknown model lists the known ones', 'train --model resnet', 2, /mlp, cnn, binarynet/],
    [
      'an unknown data set lists the known ones',
      'train --dataset imagenet',
      2,
      /mnist, fashion-mnist, cifar10/,
    ],
    ['a batch of nothing', 'train --batch 0', 2, /positive integer/],
    ['a seed that is no number', 'train --seed x', 2, /integer from 0/],
    ['a batch larger than the data', 'train --train-samples 50', 2, /batch = 100/],
    ['more samples than there are', 'train --train-samples 60001', 2, /60001/],
    [
      'a memory limit that is too small',
      'train --memory-limit 1MB',
      1,
      /nothing was allocated[\s\S]*--train-samples/,
    ],
    [
      'a batch beyond the memory limit',
      'train --batch 40000 --memory-limit 300MB',
      1,
      /nothing was allocated/,
    ],
    ['a run that is not there', 'train --resume /nonexistent', 1, /no run here[\s\S]*train --out /],
    ['a folder without a run', 'eval test', 1, /no run here[\s\S]*train --out test/],
    ['an adapter that is not there', 'train --adapter hardware', 3, /driver/],
  ])('%s', async (name, args, expected, message) => {
    const { code, stdout, stderr } = await bnn(args);
    // A machine with a GPU has nothing to complain about here.
    if (name === 'an adapter that is not there' && code === 0) return;
    expect(stderr + stdout).toMatch(message);
    expect(code).toBe(expected);
  });

  test('a data set that was not fetched says how to get it', async () => {
    const { code, stderr } = await bnn('train --dataset cifar10', {
      env: { WEBGPU_BNN_CACHE: join(folder, 'empty'), VK_ICD_FILENAMES: '' },
    });
    expect(stderr).toMatch(/webgpu-bnn data cifar10/);
    expect(code).toBe(4);
  });

  test('a truncated checkpoint', async () => {
    const run = damaged('truncated', (file) => truncateSync(file, 5000));
    const { code, stderr } = await bnn(`train --resume ${run}`);
    expect(stderr).toMatch(/FormatError[\s\S]*checkpoint\.safetensors/);
    expect(code).toBe(1);
  });

  test('a corrupt checkpoint', async () => {
    const run = damaged('corrupt', (file) => {
      const bytes = readFileSync(file);
      bytes[20] = (bytes[20] ?? 0) ^ 0xff;
      writeFileSync(file, bytes);
    });
    const { code, stderr } = await bnn(`eval ${run}`);
    expect(stderr).toMatch(/FormatError/);
    expect(code).toBe(1);
  });

  test('a foreign file', async () => {
    const run = damaged('foreign', (file) => writeFileSync(file, 'not a checkpoint at all'));
    const { code, stderr } = await bnn(`train --resume ${run}`);
    expect(stderr).toMatch(/FormatError/);
    expect(code).toBe(1);
  });

  test('resuming with another option', async () => {
    const { code, stderr } = await bnn(`train --resume ${folder}/a --batch 50`);
    expect(stderr).toMatch(/--batch 50[\s\S]*100[\s\S]*without --resume/);
    expect(code).toBe(2);
  });

  test('an output folder that cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { code, stdout, stderr } = await bnn(
      `train --train-samples 200 --test-samples 100 --epochs 1 --out ${folder}/file/run`,
    );
    expect(stderr).toMatch(/StorageError/);
    // Before anything was trained.
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });
});

describe('options say what they mean', () => {
  test('--json is one thing everywhere, and swallows no argument', async () => {
    const file = join(folder, 'doctor.json');
    const both = await bnn(`doctor --json ${file}`);
    expect(both.stdout).toMatch(/verdict/);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('verdict');
    const swallowed = await bnn(`inspect --json ${folder}/a/checkpoint.safetensors`);
    expect(swallowed.code).toBe(2);
    expect(swallowed.stderr).toMatch(/ends in \.json/);
    const listed = await bnn('data --json');
    expect((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name)).toContain('mnist');
  });

  test('defaults read as people write them, and limits answer in the unit given', async () => {
    expect((await bnn('train --help')).stdout).toMatch(/\(default:\s+0\.02:0\.001\)/);
    const { stderr } = await bnn('train --train-samples 200 --memory-limit 1MB');
    expect(stderr).toMatch(/given: +\d+(\.\d+)? MB with batch 100\n +expected: 1 MB at most/);
  });

  test('data --from reads the folder that is named', async () => {
    const { code, stderr } = await bnn(`data mnist --from ${folder}/nowhere`);
    expect(code).toBe(4);
    expect(stderr).toContain(`${folder}/nowhere`);
  });

  test('eval of a model file names what works', async () => {
    const model = join(folder, 'm.safetensors');
    expect((await bnn(`convert ${folder}/a ${model} --no-verify`)).code).toBe(0);
    const { code, stderr } = await bnn(`eval ${model}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/webgpu-bnn run FILE --dataset/);
    const onnx = join(folder, 'm.onnx');
    expect((await bnn(`convert ${folder}/a ${onnx} --no-verify`)).code).toBe(0);
    expect((await bnn(`eval ${onnx}`)).stderr).toMatch(/no run[\s\S]*webgpu-bnn run FILE --dataset/);
  });

  test('digits are cropped, but not mirrored; animals are', () => {
    const run: Omit<RunOptions, 'dataset'> = {
      ...{ model: 'mlp', epochs: 1, batch: 10, seed: 1, lr: 0.01, fanScaled: false, augment: true },
      optimizer: 'adam',
      loss: 'squaredHinge',
    };
    expect(trainerOptions({ ...run, dataset: 'mnist' }).augment).toEqual(['crop']);
    expect(trainerOptions({ ...run, dataset: 'cifar10' }).augment).toEqual(['crop', 'flip']);
  });
});

describe('doctor', () => {
  test('finds an adapter that computes right', async () => {
    const { code, stdout } = await bnn('doctor');
    expect(stdout).toMatch(/ok {3}packing +.*every bit right/);
    expect(stdout).toMatch(/ok {3}XNOR-popcount +.*every one right/);
    expect(stdout).toMatch(/verdict/);
    expect(code).toBe(0);
  });

  test('says the same as JSON', async () => {
    const { stdout } = await bnn('doctor --json');
    const report = JSON.parse(stdout) as { verdict: string; findings: { ok: boolean }[]; features: string[] };
    expect(['software', 'healthy']).toContain(report.verdict);
    expect(report.findings.every(({ ok }) => ok)).toBe(true);
  });

  test('--help of every command has examples or exit codes', async () => {
    for (const command of ['train', 'eval', 'bench', 'data', 'doctor']) {
      const { code, stdout } = await bnn(`${command} --help`);
      expect(stdout).toMatch(/Example|Exit code/);
      expect(code).toBe(0);
    }
  });
});

describe('tune', () => {
  test('refuses to forget what it does not know, and a pin that can not be, with what can', async () => {
    const [cleared, pinned] = await Promise.all([
      runCli(cli, ['tune', '--adapter', 'software', '--clear', 'noSuchFamily(M=1)']),
      runCli(cli, [
        'tune',
        '--adapter',
        'software',
        '--pin',
        'fusedBinaryConv2d to signs(BATCH=1):conv/none',
      ]),
    ]);
    expect(cleared.code).not.toBe(0);
    expect(cleared.stderr).toMatch(/no choice of this name[\s\S]*noSuchFamily\(M=1\)/);
    expect(pinned.code).not.toBe(0);
    // The family is known; its extents are not all there.
    expect(pinned.stderr).toMatch(/extents aren't those of the family[\s\S]*OUT_CHANNELS=/);
  });
});
