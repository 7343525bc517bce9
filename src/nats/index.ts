/** Beyond one machine: comparisons whose trainings workers take from a NATS server. */

export type { ServerOptions } from './connect.ts';
export { coordinate } from './coordinate.ts';
export { queuedJobs } from './job.ts';
export { Queue } from './queue.ts';
export { work } from './work.ts';
