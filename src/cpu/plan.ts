/** Where everything lies in the engine's memory: known before any of it is allocated. */
import type { Constant, KernelStep, Memory, Program, Step, Value } from './program.ts';
import { RECORD_BYTES } from './records.ts';

/** What threads agree on: `team.ts`. */
export const CONTROL_BYTES = 64;

/** A kernel reads whole vectors: what lies behind a row's end is read too, and left out. */
const SLACK = 64;

export interface Layout {
  /** Address of the record of each step; undefined for steps of the host. */
  readonly records: readonly (number | undefined)[];
  readonly constants: ReadonlyMap<Constant['data'], number>;
  /** Of each thread. */
  readonly scratch: readonly number[];
  /** First byte of the values. */
  readonly values: number;
}

export interface ValuePlan {
  /** Addresses, behind `Layout.values`. */
  readonly places: ReadonlyMap<Memory, number>;
  readonly end: number;
}

/** Rows that a product counts together, and the fewest that it counts without doing any twice: `wasm/product.as`. */
const ROWS = 16;
const FEWEST_ROWS = 4;

/** Samples that run at once, where their values take no more than this many bytes. */
const MOST_SAMPLES = 16;
const MOST_BYTES = 32 * 2 ** 20;

const aligned = (bytes: number) => Math.ceil((bytes + SLACK) / 64) * 64;

/** Whether a kernel runs the step. */
export function isKernel(step: Step): step is KernelStep {
  return 'kernel' in step;
}

/** Places what doesn't depend on the number of samples. */
export function layOut(program: Program, threads: number): Layout {
  let at = CONTROL_BYTES;
  const records = program.steps.map((step) => {
    if (!isKernel(step)) return undefined;
    at += RECORD_BYTES;
    return at - RECORD_BYTES;
  });
  at = aligned(at);
  const constants = new Map<Constant['data'], number>();
  for (const step of program.steps) {
    if (!isKernel(step)) continue;
    for (const field of Object.values(step.fields)) {
      if (typeof field !== 'object' || !('data' in field) || constants.has(field.data)) continue;
      constants.set(field.data, at);
      at += aligned(field.data.byteLength);
    }
  }
  const most = Math.max(0, ...program.steps.map((step) => (isKernel(step) ? step.scratch : 0)));
  const scratch = Array.from({ length: threads }, (_, thread) => at + thread * aligned(most));
  return { records, constants, scratch, values: at + threads * aligned(most) };
}

/**
 * Places the values of so many samples: memory is used again when the last step that reads it is over.
 * @param first byte that they may take
 */
export function placeValues(program: Program, samples: number, first: number): ValuePlan {
  const { steps, inputs, outputs } = program;
  const lastRead = new Map<Memory, number>();
  steps.forEach(({ reads }, index) => {
    for (const { memory } of reads) lastRead.set(memory, index);
  });
  for (const { memory } of outputs) lastRead.set(memory, steps.length);

  const places = new Map<Memory, number>();
  const taken: { start: number; end: number; until: number }[] = [];
  let end = first;
  const place = ({ memory }: Value, now: number) => {
    if (places.has(memory)) return;
    const size = aligned(memory.bytes * samples);
    let start = first;
    for (const block of taken) {
      if (block.until < now) continue;
      if (block.start >= start + size) break;
      start = Math.max(start, block.end);
    }
    places.set(memory, start);
    taken.push({ start, end: start + size, until: lastRead.get(memory) ?? now });
    taken.sort((a, b) => a.start - b.start);
    end = Math.max(end, start + size);
  };
  for (const input of inputs) place(input, -1);
  steps.forEach(({ writes }, index) => {
    place(writes, index);
  });
  return { places, end };
}

/**
 * Units that a thread takes at once: whole blocks of rows where there are enough of them for every thread, since a product
 * fetches its filters again for every block.
 * @param share of a thread, with some to spare so that a slow one takes fewer
 * @param wanted units that are worth a claim
 */
export function tileOf(share: number, wanted: number): number {
  const units = Math.min(share, Math.max(wanted, ROWS));
  const step = units >= ROWS ? ROWS : FEWEST_ROWS;
  return Math.max(step, Math.round(units / step) * step);
}

/** @param bytes of the values of one */
export function samplesAtOnce(bytes: number): number {
  return Math.max(1, Math.min(MOST_SAMPLES, Math.floor(MOST_BYTES / Math.max(1, bytes))));
}
