/** Beyond one machine: work that workers take from a NATS server. */

export type { ServerOptions } from './connect.ts';
export { Queue } from './queue.ts';
export {
  FORMATS,
  reasonOf,
  type SurveyedLayer,
  type SurveyedTensor,
  type SurveyNumbers,
  surveyByWorkers,
  surveys,
} from './surveys.ts';
export { trainByWorkers, trainings } from './trainings.ts';
export { type Kind, work } from './work.ts';
