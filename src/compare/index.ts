/** Comparisons: methods side by side on the same data, network, seeds and budget. */
export {
  type Entry,
  entryTexts,
  FLOAT,
  type Guests,
  modulesOf,
  parseEntry,
  type Role,
} from './entry.ts';
export type { ComparedEpoch } from './measure.ts';
export { floatTwin, networkFor } from './network.ts';
export {
  type ComparisonJob,
  type ComparisonOptions,
  comparisonJobs,
  type PlannedEntry,
  planComparison,
} from './plan.ts';
export {
  type ComparisonStore,
  type JobAdapter,
  type JobDone,
  type JobFailed,
  type JobProgress,
  type JobResult,
  type RunOptions,
  runComparison,
  type Workplace,
} from './run.ts';
export { type ComparedMethod, comparedMethods, type OverSeeds, overSeeds } from './table.ts';
export { type Lesson, lessonOf, type Teacher, type Teachers } from './teacher.ts';
