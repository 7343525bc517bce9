/** What passes of quantizers with rules for rows are made of. A rule brings them: pages without such quantizers carry none. */
export { affineColumns } from './columns.ts';
export { add, fill } from './elementwise.ts';
export { quantizeRows, statisticsFor } from './rows.ts';
export { affineSamples } from './samples.ts';
