/** Trainings through the built command line: judged on the way, stopped, kept at their best, logged, listed and compared. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLog } from '../src/node/training-log.ts';
import type { TrainReport } from '../src/reports/training.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { drawShapes } from './helpers/drawn-shapes.ts';
import { contentOf, expectSelfContained } from './helpers/page.ts';

let cli = '';
const folder = mkdtempSync(join(tmpdir(), 'my runs '));
const at = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  cli = await buildCli();
  drawShapes(at('shapes'), 0, 40);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCli(cli, args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};
const toTrain = (out: string, ...more: string[]) => [
  ...['train', '--adapter', 'software', '--dataset', at('shapes'), '--batch', '12'],
  ...['--out', at('runs', out), ...more],
];
const train = (out: string, ...more: string[]) => said(...toTrain(out, '--log-every', '2', ...more));
const reportOf = (run: string) =>
  JSON.parse(readFileSync(at('runs', run, 'report.json'), 'utf8')) as TrainReport;
const BEST = ['--validation', '0.25', '--keep-best', '--monitor', 'validationLoss', '--refit-statistics'];
const JUDGED = [...BEST, '--lr', '0.01:0.001'];
const SHAPED = [...JUDGED, '--lr-decay', 'cosine', '--lr-warmup', '1', '--lr-restarts', '1', '--clip', '1'];
/** A log without its times. */
const logOf = (run: string) =>
  readLog(at('runs', run)).map((line) => ({ ...line, time: 0, seconds: 0, imagesPerSecond: 0 }));

test('a training that is stopped and resumed ends with the same weights, the same best and the same log', async () => {
  await train('whole', ...SHAPED, '--epochs', '4');
  let killed = false;
  const { code } = await runCli(cli, toTrain('stopped', '--log-every', '2', ...SHAPED, '--epochs', '4'), {
    onOutput: (kill, printed) => {
      if (killed || !/epoch 2\/4/.test(printed)) return;
      killed = true;
      kill('SIGINT');
    },
  });
  expect([killed, code]).toEqual([true, 130]);
  await said(
    'train',
    '--adapter',
    'software',
    '--resume',
    at('runs', 'stopped'),
    '--dataset',
    at('shapes'),
    '--log-every',
    '2',
  );
  expect(reportOf('stopped').weightsSha256).toBe(reportOf('whole').weightsSha256);
  expect(reportOf('stopped').best).toEqual(reportOf('whole').best);
  expect(logOf('stopped')).toEqual(logOf('whole'));
  const whole = reportOf('whole');
  expect(whole.epochs.every(({ validationLoss }) => validationLoss !== undefined)).toBe(true);
  expect(whole.scores?.targets).toBe('classes');
  expect(whole.options).toMatchObject({
    ...{ validation: 0.25, keepBest: true, monitor: 'validationLoss', clip: { norm: 1 } },
    refitStatistics: true,
    lr: { from: 0.01, to: 0.001, decay: 'cosine', cycles: 2, warmupEpochs: 1 },
  });
  // The report is of the best epoch with its statistics refitted, and so is what other commands use.
  const printed = await said('eval', at('runs', 'whole'), '--dataset', at('shapes'), '--adapter', 'software');
  expect(printed).toContain(whole.weightsSha256);
  expect(printed).toContain(`${(100 * whole.finalTestAccuracy).toFixed(2)} %`);
});

test('a training that gets no better stops by itself, and stays so when it is resumed', async () => {
  // All of these shapes can be told apart; better than all right nothing gets.
  const printed = await train('early', '--epochs', '40', '--patience', '2', '--monitor', 'testAccuracy');
  const { epochs } = reportOf('early');
  expect(printed).toContain(`stopped   after epoch ${epochs.length}: no improvement in 2 epochs`);
  expect(epochs.length).toBeLessThan(40);
  const best = Math.max(...epochs.map(({ testAccuracy }) => testAccuracy));
  expect(epochs.findIndex(({ testAccuracy }) => testAccuracy === best)).toBe(epochs.length - 3);
  const again = await said(
    ...['train', '--adapter', 'software', '--resume', at('runs', 'early'), '--dataset', at('shapes')],
  );
  expect(again).toContain(`stopped   after epoch ${epochs.length}`);
  expect(readLog(at('runs', 'early')).filter(({ kind }) => kind === 'epoch').length).toBe(epochs.length);
});

test('with --watch the report is there while it trains, and loads itself again until it is over', async () => {
  const seen: string[] = [];
  const { code } = await runCli(cli, toTrain('watched', '--epochs', '3', '--watch'), {
    onOutput: (_, printed) => {
      if (/^watch/m.test(printed)) seen.push(readFileSync(at('runs', 'watched', 'report.html'), 'utf8'));
    },
  });
  expect(code).toBe(0);
  const under = contentOf(seen[0] ?? '');
  expect(under).toContain('http-equiv="refresh" content="5"');
  expect(under).toMatch(/after 0 of 3 epochs/);
  const over = contentOf(readFileSync(at('runs', 'watched', 'report.html'), 'utf8'));
  expect(over).not.toContain('refresh');
  expect(over).toMatch(/<h2>Classes<\/h2>/);
  for (const page of [under, over]) {
    expectSelfContained(page);
    expect(page).not.toMatch(/NaN|undefined/);
  }
});

test('runs are listed with what differs, and laid beside each other in a page', async () => {
  const { runs } = JSON.parse(await said('runs', at('runs'), '--json')) as {
    runs: { name: string; epoch: number; epochs: number; best: number; options: Record<string, unknown> }[];
  };
  expect(runs.map(({ name }) => name.replace(/^.*\//, ''))).toEqual(['early', 'stopped', 'watched', 'whole']);
  expect(runs[0]).toMatchObject({ epochs: 40, options: { patience: 2 } });
  expect(await said('runs', at('runs'))).toMatch(/early[\s\S]*of 40[\s\S]*patience 2/);
  await said('report', at('runs', 'whole'), at('runs', 'watched'), '--html', at('both.html'));
  const page = contentOf(readFileSync(at('both.html'), 'utf8'));
  expectSelfContained(page);
  expect(page).not.toMatch(/NaN|undefined/);
  expect(page).toMatch(/What differs[\s\S]*learning rate[\s\S]*as a cosine falls, 2 times/);
  const again = await runCli(cli, ['report', at('runs', 'whole'), '--html', at('both.html')]);
  expect([again.code, /--overwrite/.test(again.stderr)]).toEqual([2, true]);
  // One that is damaged hides none of the others.
  writeFileSync(at('runs', 'watched', 'checkpoint.safetensors'), 'damaged');
  const listed = JSON.parse(await said('runs', at('runs'), '--json')) as {
    runs: unknown[];
    broken: unknown[];
  };
  expect([listed.runs.length, listed.broken.length]).toEqual([3, 1]);
});

test.each(['onnx', 'tflite', 'safetensors'])('a training starts from an .%s file', async (format) => {
  const file = at(`start.${format}`);
  await said('convert', at('runs', 'whole'), file);
  const printed = await train(`from ${format}`, '--from', file, '--epochs', '1');
  expect(printed).toContain(`from      ${file}: `);
  // One epoch from there is better than one from nothing.
  await train(`anew ${format}`, '--epochs', '1');
  const [from, anew] = [reportOf(`from ${format}`), reportOf(`anew ${format}`)];
  expect(from.epochs[0]?.trainLoss).toBeLessThan(anew.epochs[0]?.trainLoss ?? 0);
});

test('a network of a module, or of a description, trains, and is gone on with and used without its file', async () => {
  const made = `export default ({ input, classes }) => {
    const { batchNormalization, flatten, quantDense, sequential } = globalThis.webgpuBnn;
    return sequential([flatten(), quantDense({ units: 32, kernelQuantizer: 'steSign' }), batchNormalization(),
      quantDense({ units: classes, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }), batchNormalization()], { input });
  };`;
  const library = `import * as webgpuBnn from ${JSON.stringify(pathToFileURL(join(dirname(cli), 'index.js')).href)};
    globalThis.webgpuBnn = webgpuBnn;\n`;
  writeFileSync(at('my model.mjs'), library + made);
  const printed = await train('own', '--model', at('my model.mjs'), '--epochs', '2');
  expect(printed).toMatch(/quantDense_1 +32/);
  expect(reportOf('own').model).toBe('my-model');
  rmSync(at('my model.mjs'));
  await said(
    ...[
      'train',
      '--adapter',
      'software',
      '--resume',
      at('runs', 'own'),
      '--dataset',
      at('shapes'),
      '--epochs',
      '3',
    ],
  );
  expect(await said('inspect', at('runs', 'own'))).toContain('quantDense_1');

  const json = at('model.json');
  await said(
    ...[
      'models',
      'mlp',
      '--model-options',
      'units=24',
      '--input',
      '16x16x3',
      '--classes',
      '3',
      '--out',
      json,
    ],
  );
  expect(await train('described', '--model', json, '--epochs', '1')).toMatch(/dense1 +24/);
  expect(await train('named', '--model-options', 'units=24', '--epochs', '1')).toMatch(/dense1 +24/);
  expect(reportOf('named').weightsSha256).toBe(reportOf('described').weightsSha256);
  const listed = await said('models');
  for (const name of ['mlp', 'birealnet18', 'resnet20', 'quicknet', 'filters=64 blocks=4'])
    expect(listed).toContain(name);
});

test.each([
  ['no.js', undefined, /no such module/],
  ['empty.js', 'export const x = 1;', /exports no function[\s\S]*export default/],
  [
    'fails.js',
    'export default () => { throw new Error("oops"); };',
    /function that makes the network fails[\s\S]*oops/,
  ],
  ['other.js', 'export default () => 7;', /gives no network/],
  ['bad.json', '{ "layers": 3 }', /model|name/],
  ['text.json', 'no JSON', /no description of a network/],
])('%s is refused as a network', async (name, text, words) => {
  if (text !== undefined) writeFileSync(at(name), text);
  const { code, stderr } = await runCli(cli, [
    ...['train', '--adapter', 'software', '--dataset', at('shapes'), '--batch', '12', '--out', at('never')],
    ...['--model', at(name)],
  ]);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/TypeError|^ +at /m);
  expect(code).not.toBe(0);
});

test.each([
  [['--lr-halve-every', '2', '--lr-restarts', '1'], /halved, or decays in another way/],
  [['--clip', '-1'], /positive number/],
  [['--validation', '1'], /share between 0 and 1/],
  [
    ['--patience', '2', '--monitor', 'validationLoss', '--epochs', '1'],
    /not judged by that[\s\S]*--validation/,
  ],
])('%j is refused', async (flags, words) => {
  const { code, stderr } = await runCli(cli, [
    ...['train', '--adapter', 'software', '--dataset', at('shapes'), '--batch', '12', '--out', at('never')],
    ...flags,
  ]);
  expect(stderr).toMatch(words);
  expect(code).not.toBe(0);
});
