/** Recording passes that can be reversed: what only runs networks goes without the operations that gradients need. */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import type { Parameter } from '../layers/index.ts';
import * as operations from '../ops/gradients.ts';
import { assertOneInputAndOutput, type Model } from './model.ts';
import { type RecordedPass, type RecordOptions, recordPass } from './record.ts';

/**
 * @param input f32 [batch, ...inputShape]
 * @param parameters of the whole network, by `layer/parameter`
 * @throws OptionError for a model with several inputs, or with several outputs where they aren't asked for
 */
export function recordForward(
  builder: ProgramBuilder,
  model: Model,
  parameters: ReadonlyMap<string, Parameter>,
  input: Tensor,
  options: RecordOptions,
): RecordedPass {
  const one = options.several ? { ...model, outputs: model.outputs.slice(0, 1) } : model;
  assertOneInputAndOutput(one, options.training ? 'training' : 'recordForward');
  return recordPass(builder, model, parameters, [input], { ...options, gradients: operations });
}
