/** Why a loss isn't finite. */
import { NonFiniteError } from '../errors.ts';
import { ProgramBuilder } from '../gpu/index.ts';
import { recordForward } from '../graph/index.ts';
import { gatherBatch, markNonFinite } from '../ops/data.ts';
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

/**
 * One forward pass in the memory of the training, which looks at each value as soon as it is there: nothing is kept, so that
 * it needs no more than a step, and a word for each parameter and layer.
 */
async function culpritOf(run: Run): Promise<string> {
  const { gpu, network, parts, options } = run;
  const { model, parameters, arena } = network;
  const looked = [...parameters.values()].map(({ name, value }) => ({ name: `parameter ${name}`, value }));
  const names = looked.map(({ name }) => name);
  const found = gpu.tensor('what is not finite', [looked.length + model.layers.length], 'u32');
  try {
    const builder = new ProgramBuilder(gpu, 'diagnosis');
    for (const [place, { value }] of looked.entries()) markNonFinite(builder, value, found, place);
    const { train, state } = parts;
    const { x } = gatherBatch(builder, parts.gather(train, state, true));
    recordForward(builder, model, parameters, x, {
      training: true,
      several: true,
      state,
      onOutput({ name }, { kind, tensor }) {
        if (kind !== 'real') return;
        markNonFinite(builder, tensor, found, names.length);
        names.push(`layer ${name}`);
      },
    });
    const program = await builder.compile({ arena });
    try {
      const write = await run.samplesAhead(0, 1);
      await gpu.scoped('diagnosis', () => {
        write?.(gpu);
        program.run();
      });
      const place = (await gpu.readWords(found)).indexOf(1);
      const losses = (options.losses ?? [options]).map(({ loss }) => loss.name).join(', ');
      return names[place] ?? `the loss (${losses})`;
    } finally {
      program.dispose();
    }
  } finally {
    found.dispose();
  }
}
