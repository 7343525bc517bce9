/**
 * How many steps go into one group, which is waited for once. A group doubles while one twice as long takes no longer: what
 * is waited for then is the way to the host and back, which browsers may stretch to the next tick of a timer (100 ms in
 * Firefox), and not the work. Where it is the work, a group is held to a fraction of a second, so that a training can be
 * stopped and looked at.
 */
import { IN_FLIGHT, MAX_GROUP } from './metrics.ts';

/** A group may take this long whatever it holds. */
const LIKED = 100;
/** Longer than this is work, and no delay of a report. */
const LONGEST_DELAY = 4 * LIKED;
/** A group twice as long takes no longer if it takes less than this many times as long. */
const NO_LONGER = 1.5;

export class Grouping {
  /** Steps of the next group. */
  size = 1;
  /** Milliseconds a step, by the size of the groups that they were done in. */
  readonly #known = new Map<number, number>();
  #groups = 0;
  #milliseconds = 0;

  /**
   * Notes that a group was reported; the sizes of later ones follow.
   * @param milliseconds since the report before, or since the group's own submit where that came later
   */
  note(steps: number, milliseconds: number): void {
    if (steps !== this.size) return;
    this.#groups += 1;
    this.#milliseconds += milliseconds;
    // Reports that wait for a tick come several at once: only those of all groups in flight together tell a time.
    if (this.#groups < IN_FLIGHT) return;
    const group = this.#milliseconds / this.#groups;
    this.#groups = 0;
    this.#milliseconds = 0;
    this.#known.set(steps, group / steps);
    const half = this.#known.get(steps / 2);
    const tookNoLonger = half === undefined || group < (NO_LONGER * half * steps) / 2;
    const untried = group < LONGEST_DELAY && !this.#known.has(2 * steps);
    if (group < LIKED / 2 || (untried && tookNoLonger)) this.size = Math.min(MAX_GROUP, 2 * steps);
    else if (group > 2 * LIKED && (half === undefined || !tookNoLonger)) this.size = Math.max(1, steps >> 1);
  }
}
