import type { Kernels } from './machine.ts';

/** What works on a network's steps. */
export interface Workers {
  /** Threads, the calling one among them. */
  readonly size: number;
  /**
   * Does all units of a step.
   * @param step its place among the records
   * @returns a promise where others have to be waited for
   */
  run(step: number, units: number): Promise<void> | undefined;
  dispose(): void;
}

/** What they work with. */
export interface TeamParts {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  /** Address of the first record; they lie one after the other. */
  readonly records: number;
  /** Memory of each thread's own. */
  readonly scratch: readonly number[];
}
