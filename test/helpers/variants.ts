/** Which kernels of a family a case of a grid runs, and how many pairs of a case and a kernel were compared with the twin. */
import { expect } from 'vitest';
import type { Gpu } from '../../src/gpu/index.ts';
import { candidates, type Family, type Sized } from '../../src/kernels/variants.ts';

/**
 * Whether each case runs every kernel that takes it, compiled for its shape, as `npm run test:variants` asks for. It is
 * compilation that takes a grid's time; so otherwise a case runs one compiled kernel, in turn, and every kernel with its
 * shapes at run time.
 */
export const EVERY_VARIANT = Boolean(process.env.EVERY_VARIANT);

interface Named {
  readonly name: string;
}

/** A grid crossed with the kernels of families. */
export class Crossing {
  readonly #every: boolean;
  /** Cases that at least one kernel of a family takes, by family; all cases, by kernel that runs them all. */
  readonly #taken = new Map<string, number>();
  /** Cases by kernel that it was picked for in turn. */
  readonly #picked = new Map<string, number>();
  /** Cases by kernel: those that it takes, and those that it was compared on. */
  readonly #takes = new Map<string, number>();
  readonly #compared = new Map<string, number>();

  /** @param every whether each case runs every kernel that takes it, or one in turn */
  constructor(every = EVERY_VARIANT) {
    this.#every = every;
  }

  /** Pairs of a case and a kernel that were compared. */
  get pairs(): number {
    return [...this.#compared.values()].reduce((sum, cases) => sum + cases, 0);
  }

  /** @returns those kernels of a family which are to run a case: all that take it, or the next one */
  pick<Kernel extends Named & Sized<Extents>, Extents>(
    family: Family<Kernel, Extents>,
    extents: Extents,
    gpu: Gpu,
  ): readonly Kernel[] {
    const able = candidates(family, extents, gpu);
    for (const { name } of able) count(this.#takes, name);
    if (able.length === 0) return able;
    count(this.#taken, family.name);
    if (this.#every) return able;
    // Whichever ran least, so that none is left out, however many kernels an adapter has.
    const runs = ({ name }: Named) => this.#picked.get(name) ?? 0;
    const next = able.reduce((least, kernel) => (runs(kernel) < runs(least) ? kernel : least));
    count(this.#picked, next.name);
    return [next];
  }

  /** Says that a kernel runs a case whatever the others do: the one for any shape. */
  always({ name }: Named): void {
    count(this.#takes, name);
    count(this.#taken, name);
  }

  /** Notes that a kernel did a case as its twin does. */
  compared(kernel: string): void {
    count(this.#compared, kernel);
  }

  /**
   * Fails unless everything that was to run was compared: every kernel on every case that it takes, or one a case and no
   * kernel left out. Prints the counts where every kernel runs.
   * @param taken by family, how many cases its kernels take, and by kernel that always runs: written down, so that a grid
   *   can't shrink unnoticed
   */
  assertWhole(grid: string, taken: Readonly<Record<string, number>>): void {
    if (EVERY_VARIANT) {
      const kernels = [...this.#compared].map(
        ([name, cases]) => `  ${name}: ${cases} of ${this.#takes.get(name)}`,
      );
      console.log([`${grid}: ${this.pairs} pairs of a case and a kernel`, ...kernels].join('\n'));
    }
    expect(Object.fromEntries(this.#taken)).toEqual(taken);
    if (this.#every) {
      expect(Object.fromEntries(this.#compared)).toEqual(Object.fromEntries(this.#takes));
    } else {
      const cases = [...this.#taken.values()].reduce((sum, each) => sum + each, 0);
      expect(this.pairs).toBe(cases);
      expect(new Set(this.#compared.keys())).toEqual(new Set(this.#takes.keys()));
    }
  }
}

function count(counts: Map<string, number>, name: string): number {
  const next = (counts.get(name) ?? 0) + 1;
  counts.set(name, next);
  return next;
}
