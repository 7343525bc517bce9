/** Beyond one machine: work that workers take from a NATS server. */

export { benchByWorkers, benches, type WorkerBench } from './benches.ts';
export { openQueue, type ServerOptions } from './clients.ts';
export { ensembleByWorkers, type MemberResult, members } from './members.ts';
export { Queue } from './queue.ts';
export {
  reasonOf,
  type SurveyedLayer,
  type SurveyNumbers,
  surveyByWorkers,
  surveys,
} from './surveys.ts';
export { type NamedData, namedData, type Packages, trainByWorkers, trainings } from './trainings.ts';
export {
  PollingPlace,
  queuedSeat,
  RemoteVoter,
  type Seat,
  seatSchema,
  type Traffic,
  VoterStopped,
} from './votes.ts';
export { type Kind, work } from './work.ts';
