/** Why a loss isn't finite. */
import { NonFiniteError } from '../errors.ts';
import { ProgramBuilder } from '../gpu/index.ts';
import { recordForward } from '../graph/index.ts';
import { gatherBatch } from '../ops/data.ts';
import type { Run } from './run.ts';

/** Runs the step that failed once more, layer by layer, and says where the first value that isn't finite comes from. */
export async function diagnose(run: Run, step: number): Promise<NonFiniteError> {
  const culprit = await culpritOf(run);
  return new NonFiniteError(
    'The loss is not a finite number; training stopped before the weights were touched.',
    {
      given: `step ${step}, first in ${culprit}`,
      where: culprit,
      remedy: 'use a lower learning rate, or resume from an earlier checkpoint',
    },
  );
}

async function culpritOf({ gpu, network, parts, options }: Run): Promise<string> {
  for (const { name, value } of network.parameters.values()) {
    if (!allFinite(await gpu.readFloats(value))) return `parameter ${name}`;
  }
  const builder = new ProgramBuilder(gpu, 'diagnosis');
  const { trainImages, trainLabels, state } = parts;
  const { x } = gatherBatch(builder, parts.gather(trainImages, trainLabels, state, true));
  const pass = recordForward(builder, network.model, network.parameters, x, { training: true, state });
  for (const { tensor } of pass.activations) builder.keep(tensor);
  using program = await builder.compile();
  program.run();
  for (const [index, { tensor, kind }] of pass.activations.entries()) {
    if (kind === 'real' && !allFinite(await gpu.readFloats(tensor))) {
      return `layer ${network.model.layers[index]?.name}`;
    }
  }
  return `the loss (${options.loss})`;
}

function allFinite(values: Float32Array): boolean {
  return values.every((value) => Number.isFinite(value));
}
