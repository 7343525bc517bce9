/** `webgpu-bnn eval`: the accuracy of a trained network on its test images. */
import { Command } from 'commander';
import { Trainer } from '../index.ts';
import { type AdapterOptions, acquire, describeAdapter, jsonOption, withAdapter } from './options.ts';
import { emit, jsonText } from './output.ts';
import { loadRun, readRun, trainerOptions } from './runs.ts';

interface Flags extends AdapterOptions {
  readonly json?: string;
  readonly dataset?: string;
}

export function evalCommand(): Command {
  return withAdapter(new Command('eval'))
    .description('evaluate a trained network on its test images')
    .argument('<run>', 'a run folder, or a checkpoint.safetensors')
    .option('--dataset <path>', 'where the data lie, of a run with data of your own')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ webgpu-bnn eval runs/mnist-mlp')
    .action(async (path: string, flags: Flags) => {
      const { run, checkpoint } = await readRun(path);
      const gpu = await acquire(flags);
      const { data, model } = await loadRun(run, flags.dataset);
      const trainer = await Trainer.create(gpu, model, data, trainerOptions(run));
      await trainer.restore(checkpoint);
      const { loss, accuracy, correct, count } = await trainer.evaluate();
      const result = {
        adapter: { ...gpu.adapter, name: describeAdapter(gpu) },
        dataset: run.dataset,
        model: run.model,
        ...{ loss, accuracy, correct, count },
        weightsSha256: await trainer.network.hash(),
      };
      const json = jsonText(result, 2);
      if (flags.json !== '-') {
        console.log(`adapter        ${result.adapter.name}`);
        if (data.targets !== 'reals') {
          console.log(`test accuracy  ${(100 * accuracy).toFixed(2)} % (${correct} of ${count})`);
        }
        console.log(`test loss      ${loss.toFixed(4)}`);
        console.log(`weights        sha256 ${result.weightsSha256}`);
      }
      await emit(json, flags.json);
      trainer.dispose();
      gpu.dispose();
    });
}
