/** What trains, for `Trainer`, which loads it when a training is created: a page can be drawn before that is here. */
export { checkAtFirstUse } from '../methods/first-use.ts';
export { checkpointOf, restore } from './checkpoint.ts';
export { checkData } from './data.ts';
export { evaluate } from './evaluate.ts';
export { finishRun } from './finish.ts';
export { account, fitRun } from './fit.ts';
export { assertFits, initialWeights, resolveOptions } from './options.ts';
export { Run } from './run.ts';
export {
  allocateParts,
  checkedMethods,
  declareParts,
  disposeParts,
  planTraining,
  recordTestStep,
  recordTrainStep,
} from './step.ts';
