/** A program as the kernels read it: its constants, and a record for every step. */
import { loopFor } from './loops.ts';
import { isKernel, type Layout, tileOf, type ValuePlan } from './plan.ts';
import type { Program } from './program.ts';
import { fieldsOf, KERNELS, REAL_FIELDS, TILE_FIELD } from './records.ts';

/** Work of a tile, in the order of nanoseconds: enough that claiming it costs nothing. */
const TILE_WORK = 10_000;
const [LOOP_FIELD, LENGTH_FIELD] = ['loop', 'length'].map((name) =>
  fieldsOf('signProduct').indexOf(name),
) as [number, number];

export function writeConstants({ buffer }: WebAssembly.Memory, layout: Layout): void {
  for (const [data, at] of layout.constants) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(buffer, at, data.byteLength).set(bytes);
  }
}

/** Addresses change with the number of samples, and the loop when it was measured: then they are written again. */
export function writeRecords(
  { buffer }: WebAssembly.Memory,
  { steps }: Program,
  layout: Layout,
  plan: ValuePlan,
): void {
  steps.forEach((step, index) => {
    const record = layout.records[index];
    if (record === undefined || !isKernel(step)) return;
    const integers = new Int32Array(buffer, record, TILE_FIELD + 1);
    const reals = new Float32Array(buffer, record, TILE_FIELD + 1);
    fieldsOf(step.kernel).forEach((name, i) => {
      const field = step.fields[name] ?? 0;
      if (typeof field === 'number') (REAL_FIELDS.includes(name) ? reals : integers)[i] = field;
      else if ('data' in field) integers[i] = layout.constants.get(field.data) ?? 0;
      else integers[i] = plan.places.get(field.memory) ?? 0;
    });
    integers[0] = KERNELS.indexOf(step.kernel);
    if (step.kernel === 'signProduct') integers[LOOP_FIELD] = loopFor(integers[LENGTH_FIELD] ?? 0);
    const share = step.units / (3 * layout.scratch.length);
    integers[TILE_FIELD] = tileOf(share, TILE_WORK / step.cost);
  });
}
