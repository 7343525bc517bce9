/**
 * Which of the loops that count differing signs is the fastest here. It depends on the processor and on what compiles
 * WebAssembly, and on how long the filters are: measured once a process, and never more than a few hundredths of a second.
 */
import { kernelModule, kernelsOn, memoryOf } from './machine.ts';

/** As `count` in `wasm/count.as` numbers them. */
export const LOOPS = ['words', 'bytes', 'carries'] as const;

/** Words of a filter that are measured: 3×3 windows of 64 and of 512 channels. What lies between goes with the nearer. */
const LENGTHS = [18, 144] as const;
const BORDER = 60;

/** The fastest loop for each of the lengths. */
let fastest: readonly number[] | undefined;
let measuring: Promise<void> | undefined;

export function areLoopsMeasured(): boolean {
  return fastest !== undefined;
}

/** The loop for filters of so many words: the first of them before it was measured. */
export function loopFor(words: number): number {
  return fastest?.[words < BORDER ? 0 : 1] ?? 0;
}

/** Takes the same loop everywhere, for tests and measurements; undefined forgets it. @internal */
export function pinLoop(loop: (typeof LOOPS)[number] | undefined): void {
  fastest = loop === undefined ? undefined : LENGTHS.map(() => LOOPS.indexOf(loop));
}

/** Measures, or waits for who does. */
export function measureLoops(): Promise<void> {
  measuring ??= measure().finally(() => {
    measuring = undefined;
  });
  return measuring;
}

const [ROWS, FILTERS, ROUNDS] = [16, 32, 6];
/** Milliseconds of a loop in a round. */
const ROUND = 0.9;
/** Another loop than the first must be faster by so much: what else the machine does is measured too. */
const MARGIN = 0.95;

async function measure(): Promise<void> {
  const memory = memoryOf(4 * 65536, 4 * 65536, false);
  const { count } = await kernelsOn(await kernelModule(false), memory);
  const words = new Uint32Array(memory.buffer);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1);
  // Clocks of pages are coarse; where one is fine, the least of many short spans is what nothing came between.
  const span = Math.max(0.05, 10 * tick());
  const best = LENGTHS.map(() => LOOPS.map(() => Number.POSITIVE_INFINITY));
  // In turns, so that whatever else the machine does falls on all of them; in the first rounds they are optimised.
  for (let round = 0; round < ROUNDS; round++) {
    LENGTHS.forEach((length, i) => {
      const stride = Math.ceil(length / 4) * 16;
      const row = best[i] ?? [];
      LOOPS.forEach((_, loop) => {
        const end = performance.now() + ROUND;
        do {
          const start = performance.now();
          let [calls, spent] = [0, 0];
          for (; spent < span; calls += 8, spent = performance.now() - start) {
            for (let again = 0; again < 8; again++) {
              count(loop, 0, ROWS, stride, 65536, FILTERS, length, 2 * 65536);
            }
          }
          row[loop] = Math.min(row[loop] ?? spent, spent / calls);
        } while (performance.now() < end);
      });
    });
  }
  fastest = best.map((times) => {
    const [first = 0] = times;
    const least = Math.min(...times);
    return least < MARGIN * first ? times.indexOf(least) : 0;
  });
}

/** Milliseconds between two readings of the clock that differ. */
function tick(): number {
  const start = performance.now();
  let now = start;
  while (now === start) now = performance.now();
  return now - start;
}
