#!/usr/bin/env node
import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { BnnError } from '../errors.ts';
/**
 * The command line: `webgpu-bnn train | compare | worker | eval | run | inspect | convert | export | geometry | paper | bench | tune |
 * methods | models | vectors | data | setup | doctor`. Thin: it parses, calls the library, prints.
 */
import { npx } from '../npx.ts';
import { benchCommand } from './bench.ts';
import { compareCommand } from './compare.ts';
import { convertCommand } from './convert.ts';
import { dataCommand } from './data.ts';
import { doctorCommand } from './doctor.ts';
import { ensembleCommand } from './ensemble.ts';
import { evalCommand } from './eval.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { exportCommand } from './export.ts';
import { geometryCommand } from './geometry.ts';
import { inspectCommand } from './inspect.ts';
import { kitCommand } from './kit.ts';
import { methodsCommand } from './methods.ts';
import { modelsCommand } from './models.ts';
import { nameNearest } from './options.ts';
import { printPlainly, protectFiles } from './output.ts';
import { paperCommand } from './paper.ts';
import { runCommand } from './run.ts';
import { reportCommand, runsCommand } from './run-list.ts';
import { setupCommand } from './setup.ts';
import { trainCommand } from './train.ts';
import { tuneCommand } from './tune.ts';
import { vectorsCommand } from './vectors.ts';
import { workerCommand } from './worker.ts';

const program = new Command('webgpu-bnn')
  .description('Train, study and run binary neural networks on any GPU that WebGPU reaches.')
  .version(manifest.version)
  .showHelpAfterError(`(${npx('COMMAND --help')} shows what there is)`)
  .addCommand(trainCommand())
  .addCommand(compareCommand())
  .addCommand(ensembleCommand())
  .addCommand(workerCommand())
  .addCommand(evalCommand())
  .addCommand(runCommand())
  .addCommand(runsCommand())
  .addCommand(reportCommand())
  .addCommand(inspectCommand())
  .addCommand(convertCommand())
  .addCommand(exportCommand())
  .addCommand(geometryCommand())
  .addCommand(paperCommand())
  .addCommand(benchCommand())
  .addCommand(tuneCommand())
  .addCommand(methodsCommand())
  .addCommand(modelsCommand())
  .addCommand(vectorsCommand())
  .addCommand(kitCommand())
  .addCommand(dataCommand())
  .addCommand(setupCommand())
  .addCommand(doctorCommand())
  .addHelpText(
    'after',
    `
Examples:
  $ webgpu-bnn train                          MNIST with the default network
  $ webgpu-bnn train --resume runs/mnist-mlp  go on where a run stopped
  $ webgpu-bnn compare --methods steSign,irNet,bop  methods side by side
  $ webgpu-bnn eval runs/mnist-mlp            accuracy of a trained network
  $ webgpu-bnn run model.onnx --dataset mnist  run a network that others trained
  $ webgpu-bnn convert runs/mnist-mlp mlp.safetensors  one bit a weight
  $ webgpu-bnn export runs/mnist-mlp page/    a page that classifies pictures, for any static host
  $ webgpu-bnn geometry model.safetensors     what binarizing a stored model would do
  $ webgpu-bnn paper                          why binary networks work: claims, measured and judged
  $ webgpu-bnn setup                          get WebGPU for Node, a software adapter and MNIST
  $ webgpu-bnn doctor                         what GPU there is, and whether it computes right

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no usable GPU, 4 data missing or damaged, 130 interrupted and saved`,
  );

// Commander leaves with 1 on wrong usage; here that is 2.
for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])]) {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));
}

for (const command of program.commands) {
  protectFiles(command);
  nameNearest(command);
}
printPlainly();
try {
  await program.parseAsync();
  // Dawn's threads can keep Node alive after everything is done.
  process.exit(process.exitCode ?? EXIT.ok);
} catch (error) {
  if (error instanceof BnnError) console.error(`\n${error.name}: ${error.message}`);
  else console.error(error);
  process.exit(exitCodeOf(error));
}
