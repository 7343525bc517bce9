/** `webgpu-bnn eval`: the accuracy of a trained network on its test images. */
import { Command } from 'commander';
import { isStreamed } from '../data/index.ts';
import { OptionError } from '../errors.ts';
import { CHECKPOINT_FILE } from '../formats/checkpoint.ts';
import {
  checkpointValues,
  foldForInference,
  hashOfValues,
  resolveLoss,
  samplesOf,
  Trainer,
} from '../index.ts';
import { evaluateRunner } from '../run/evaluate.ts';
import { type EngineOptions, openEngine, withEngine } from './engine.ts';
import { acquire, describeAdapter, jsonOption, withAdapter } from './options.ts';
import { emit, jsonText } from './output.ts';
import { labelsOption } from './own-data.ts';
import { type DataPlace, loadRun, readRun, type SavedRun, trainerOptions } from './runs.ts';

interface Flags extends EngineOptions, DataPlace {
  readonly json?: string;
}

export function evalCommand(): Command {
  return withEngine(withAdapter(new Command('eval')), 'gpu')
    .description('evaluate a trained network on its test images')
    .argument('<run>', `a run folder, or a ${CHECKPOINT_FILE}`)
    .option('--dataset <path>', 'where the data lie, of a run with data of your own')
    .addOption(labelsOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
By default it runs as the training ran, on WebGPU.

Examples:
  $ webgpu-bnn eval runs/mnist-mlp
  $ webgpu-bnn eval runs/mnist-mlp --engine wasm`,
    )
    .action(async (path: string, flags: Flags) => {
      const saved = await readRun(path, 'best');
      const isTrainer = flags.engine === 'gpu';
      const { line, facts, score, weightsSha256, hasClasses } = await (isTrainer ? asTrained : folded)(
        saved,
        flags,
      );
      const { loss, accuracy, correct, count } = score;
      const { dataset, model } = saved.run;
      const result = { ...facts, dataset, model, loss, accuracy, correct, count, weightsSha256 };
      const json = jsonText(result, 2);
      if (flags.json !== '-') {
        const [label, text] = line;
        console.log(`${label.padEnd(14)} ${text}`);
        if (hasClasses) {
          console.log(`test accuracy  ${(100 * accuracy).toFixed(2)} % (${correct} of ${count})`);
        }
        console.log(`test loss      ${loss.toFixed(4)}`);
        if (weightsSha256 !== undefined) console.log(`weights        sha256 ${weightsSha256}`);
      }
      await emit(json, flags.json);
    });
}

/** As the trainer evaluates it, on the GPU. */
async function asTrained({ run, checkpoint }: SavedRun, flags: Flags) {
  const gpu = await acquire(flags);
  const { data, model } = await loadRun(run, flags);
  const trainer = await Trainer.create(gpu, model, data, trainerOptions(run));
  await trainer.restore(checkpoint);
  const score = await trainer.evaluate();
  const weightsSha256 = await trainer.network.hash();
  const name = describeAdapter(gpu);
  trainer.dispose();
  gpu.dispose();
  const facts = { adapter: { ...gpu.adapter, name } };
  return {
    line: ['adapter', name] as const,
    facts,
    score,
    weightsSha256,
    hasClasses: data.targets !== 'reals',
  };
}

/** As it is used: folded, on any engine; of classes, and samples in memory. */
async function folded({ run, checkpoint }: SavedRun, flags: Flags) {
  const { data, model } = await loadRun(run, flags);
  const { test, targets = 'classes' } = data;
  if (test === undefined || isStreamed(test) || targets !== 'classes') {
    throw new OptionError('Such data are evaluated as the training ran.', {
      given:
        targets === 'classes' ? 'samples that are made as they are read, or none' : `targets: ${targets}`,
      expected: 'one class a sample, and samples in memory',
      where: '--engine',
      remedy: 'evaluate it with WebGPU: --engine gpu',
    });
  }
  const opened = await openEngine(flags);
  const values = checkpointValues(checkpoint, model);
  const compiled = foldForInference(model, values);
  const runner = await opened.engine.create(compiled.model, compiled.values);
  const samples = (first: number, end: number) => samplesOf(data, 'test', { first, count: end - first });
  const labelled = { samples, labels: test.labels };
  const score = await evaluateRunner(runner, compiled.model, labelled, resolveLoss(run.loss));
  runner.dispose();
  opened.dispose();
  return { ...opened, score, weightsSha256: await hashOfValues(model, values), hasClasses: true };
}
