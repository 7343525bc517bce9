/** How many threads work on a network, and the calling one alone. Several are loaded when there are to be several. */
import { OptionError } from '../errors.ts';
import { RECORD_BYTES } from './records.ts';
import type { TeamParts, Workers } from './workers.ts';

/** Most threads where nobody says how many. */
const USUAL = 4;

/** Processors that may be used. */
export function processors(): number {
  const os = globalThis.process?.getBuiltinModule?.('node:os');
  return os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Whether threads can share memory here: Node and its like, and pages that are isolated across origins. */
function canShare(): boolean {
  return typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated !== false;
}

/** How many threads are to work. @throws OptionError unless a positive integer is asked for */
export function threadsFor(given: number | undefined): number {
  if (given !== undefined && (!Number.isSafeInteger(given) || given < 1)) {
    throw new OptionError('The number of threads is a positive integer.', {
      given: `threads = ${given}`,
      where: 'the WebAssembly engine',
    });
  }
  if (!canShare()) return 1;
  return Math.min(given ?? Math.min(USUAL, processors()), 64);
}

/** The threads for so much scratch: one for each piece of it. */
export async function workersFor(parts: TeamParts): Promise<Workers> {
  if (parts.scratch.length === 1) return alone(parts);
  const { Team } = await import('./team.ts');
  return new Team(parts);
}

function alone({ kernels, records, scratch: [own = 0] }: TeamParts): Workers {
  return {
    size: 1,
    run(step, units) {
      kernels.work(records + step * RECORD_BYTES, 0, units, own);
      return undefined;
    },
    dispose() {},
  };
}
