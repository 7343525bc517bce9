/**
 * How fast the adapter works, as far as it decides how much goes into one submit: drivers take a submit of several
 * seconds for a hang and reset the device, and a page's frames wait for it.
 */

/** Multiply-adds, or comparisons of words, in a second: what slow hardware and slow software reach. */
const GUESS = { hardware: 2e10, software: 1e9 };

/** The most work of a dispatch that is done as one: a second or two, at worst. */
const WHOLE_DISPATCH = { hardware: 2 ** 33, software: 2 ** 31 };

/** Slower than this part of the guess is nothing but a time that was taken while something else held up the work. */
const SLOWEST = 0.1;

/**
 * Milliseconds of work below which a time says more about what else happened than about the pace: only that it is at least
 * what these would make it.
 */
const SHORTEST_TIME = 50;

/** The longest that the way to the GPU and back takes: a tick of the timer by which some browsers report, and a half. */
const LONGEST_WAY = 150;

/** The most parts of a dispatch: each has a pipeline of its own. */
const MOST_PARTS = 16;

export class Pace {
  /** How long a submit should take at most; by estimate, which may be off by a factor. A page that draws may want less. */
  secondsOfSubmit = 0.25;
  /** The most work of one dispatch; beyond, it is done in parts. Fixed, since programs are compiled before they are timed. */
  workOfDispatch: number;
  readonly #slowest: number;
  #perSecond: number;
  /** The shortest time that anything took, as far as that can be the way to the GPU and back. */
  #way = LONGEST_WAY;

  constructor(software: boolean) {
    const kind = software ? 'software' : 'hardware';
    this.workOfDispatch = WHOLE_DISPATCH[kind];
    this.#perSecond = GUESS[kind];
    this.#slowest = SLOWEST * this.#perSecond;
  }

  /** The most work that one submit should hold, in what `KernelSpec.work` counts. */
  get workOfSubmit(): number {
    return this.secondsOfSubmit * this.#perSecond;
  }

  /** In how many parts a dispatch should be done. */
  partsOfDispatch(work: number): number {
    return Math.min(MOST_PARTS, Math.ceil(work / this.workOfDispatch));
  }

  /**
   * Notes how long some work took, from its submit to the report of its end; what comes later goes by it. What is the same
   * for all work, however little, is the way there and back, and no pace.
   */
  note(work: number, milliseconds: number): void {
    this.#way = Math.min(this.#way, milliseconds);
    const time = milliseconds - this.#way;
    const perSecond = (1000 * work) / Math.max(time, SHORTEST_TIME);
    const least = time < SHORTEST_TIME ? this.#perSecond : this.#slowest;
    this.#perSecond = Math.max(least, perSecond);
  }
}
