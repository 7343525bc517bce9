/**
 * Data-parallel training by majority: trainers of one network, each with its own share of the samples, reduce the gradients of
 * every step to signs, and all go the way that most of them say. A weight costs one bit a step, in place of a float's 32.
 *
 *   const poll = new Poll({ voters: 4, seed: 1 });
 *   const trainers = await Promise.all([0, 1, 2, 3].map((rank) =>
 *     Trainer.create(gpu, model(), shareOf(data, rank, 4), { votes: poll.voter(rank), batch: 25 })));
 *   await Promise.all(trainers.map((trainer) => trainer.fit()));
 *
 * Source: Bernstein et al. 2019, "signSGD with Majority Vote is Communication Efficient and Fault Tolerant", arXiv 1810.05291.
 * There a tie moves nothing, which takes a second bit; here the lot decides, which follows from seed, step and place.
 */
import { isStreamed, type TrainingData } from '../data/index.ts';
import { pick } from '../data/split.ts';
import { OptionError } from '../errors.ts';
import { pcg4d } from '../numerics/random.ts';
import { majorityWords } from '../numerics/votes.ts';
import type { Vote } from '../train/index.ts';

/** A stream of random numbers that no training draws from. */
const LOTS = 0x6c6f7473;
/** Milliseconds until a round that is paused is looked at again, at least. */
const LOOK = 100;
/** Decisions that are kept for those who come late. */
const KEPT = 256;

/** A step that was decided on. */
export interface Round {
  /** Steps done before it. */
  readonly step: number;
  /** Who took part, in order. */
  readonly ranks: readonly number[];
  /** Who was not waited for any longer. */
  readonly leftOut: readonly number[];
  /** Signs, as ballots are laid out. */
  readonly decision: Uint32Array<ArrayBuffer>;
}

/** Who votes, and how long is waited for them. */
export interface PollOptions {
  /** How many trainers there are, of ranks 0 to voters − 1. */
  readonly voters: number;
  /** What lots follow from. */
  readonly seed: number;
  /**
   * Milliseconds that a voter may say nothing once rank 0 has voted; it is left out of rounds then, until it votes again.
   * Default: all are waited for.
   */
  readonly deadline?: number;
  /** Called for every step that was decided on. */
  readonly onRound?: (round: Round) => void;
}

/** Where trainers vote. */
export class Poll {
  readonly #options: PollOptions;
  readonly #rounds = new Map<number, Ballots>();
  readonly #decided = new Map<number, Uint32Array<ArrayBuffer>>();
  /** Those that aren't waited for. */
  readonly #away = new Set<number>();
  /** When each voter said something last. */
  readonly #heard = new Map<number, number>();
  #last = -1;
  #isPaused = false;
  #closed: Error | undefined;

  /** @throws OptionError unless there is a voter, and a deadline is positive */
  constructor(options: PollOptions) {
    const { voters, deadline = 1 } = options;
    if (!Number.isSafeInteger(voters) || voters < 1 || !(deadline > 0)) {
      throw new OptionError('A poll has voters, and waits for them.', {
        given: `${voters} voters, deadline ${deadline} ms`,
        expected: '1 voter or more, more than 0 ms',
        where: 'Poll',
      });
    }
    this.#options = options;
  }

  /** What a trainer of this rank takes as `votes`. */
  voter(rank: number): Vote {
    return (ballot, step) => this.#cast(rank, step, ballot);
  }

  /**
   * A vote that came from elsewhere: of a step that was decided on already it only says that the voter is there.
   * @throws OptionError for a rank that there is not, and a ballot of another length
   */
  cast(rank: number, step: number, ballot: Uint32Array<ArrayBuffer>): void {
    this.#cast(rank, step, ballot).catch(() => undefined);
  }

  /** What was decided about a step, of the last ones. */
  decided(step: number): Uint32Array<ArrayBuffer> | undefined {
    return this.#decided.get(step);
  }

  /** Leaves nobody out until `resume`: the way to the others is broken. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Deadlines count from now. */
  resume(): void {
    this.#isPaused = false;
    for (let rank = 0; rank < this.#options.voters; rank++) this.#heard.set(rank, Date.now());
    for (const [step, round] of this.#rounds) this.#consider(step, round);
  }

  /** Ends it: who waits for a decision is given the reason. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const round of this.#rounds.values()) {
      clearTimeout(round.timer);
      round.fail(reason);
    }
    this.#rounds.clear();
  }

  #cast(rank: number, step: number, ballot: Uint32Array<ArrayBuffer>): Promise<Uint32Array<ArrayBuffer>> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (!Number.isSafeInteger(rank) || rank < 0 || rank >= this.#options.voters) {
      throw new OptionError('There is no such voter.', {
        given: `rank ${rank}`,
        expected: `0 to ${this.#options.voters - 1}`,
        where: 'Poll',
      });
    }
    this.#heard.set(rank, Date.now());
    this.#away.delete(rank);
    const known = this.#decided.get(step);
    if (known !== undefined) return Promise.resolve(known);
    if (step <= this.#last)
      return Promise.reject(
        new OptionError('This step was decided on long ago.', {
          given: `step ${step}`,
          expected: `one of the last ${KEPT}, or a new one`,
          where: 'Poll',
        }),
      );
    const round = this.#rounds.get(step) ?? new Ballots();
    this.#rounds.set(step, round);
    const [other = ballot] = round.votes.values();
    if (other.length !== ballot.length) {
      throw new OptionError('Voters train networks of one model.', {
        given: `a ballot of ${ballot.length} words, of rank ${rank}`,
        expected: `${other.length} words`,
        where: 'Poll',
      });
    }
    round.votes.set(rank, ballot);
    this.#consider(step, round);
    return round.decision;
  }

  /** Decides where nobody is waited for; else looks again when the deadline of the first is over. */
  #consider(step: number, round: Ballots): void {
    const { voters, deadline } = this.#options;
    clearTimeout(round.timer);
    if (deadline !== undefined) {
      // The first one leads: before it voted, nobody is late.
      if (!round.votes.has(0)) return;
      round.begun ??= Date.now();
    }
    const now = Date.now();
    let least = Number.POSITIVE_INFINITY;
    for (let rank = 0; rank < voters; rank++) {
      if (round.votes.has(rank) || this.#away.has(rank)) continue;
      const left = (deadline ?? Infinity) - (now - Math.max(round.begun ?? now, this.#heard.get(rank) ?? 0));
      if (left <= 0 && !this.#isPaused) this.#away.add(rank);
      else least = Math.min(least, Math.max(left, LOOK));
    }
    if (deadline === undefined && round.votes.size < voters) return;
    if (least < Number.POSITIVE_INFINITY) {
      round.timer = setTimeout(() => this.#consider(step, round), least);
      return;
    }
    this.#decide(step, round);
  }

  #decide(step: number, round: Ballots): void {
    const { voters, seed, onRound } = this.#options;
    const ranks = [...round.votes.keys()].sort((a, b) => a - b);
    const decision = majorityWords([...round.votes.values()], (word) => pcg4d(seed, LOTS, step, word)[0]);
    this.#last = step;
    this.#rounds.delete(step);
    this.#decided.set(step, decision);
    this.#decided.delete(step - KEPT);
    const leftOut = Array.from({ length: voters }, (_, rank) => rank).filter((rank) => !ranks.includes(rank));
    onRound?.({ step, ranks, leftOut, decision });
    round.decide(decision);
  }
}

/** Votes of one step, by rank. */
class Ballots {
  readonly votes = new Map<number, Uint32Array<ArrayBuffer>>();
  readonly decision: Promise<Uint32Array<ArrayBuffer>>;
  decide: (decision: Uint32Array<ArrayBuffer>) => void = () => {};
  fail: (reason: Error) => void = () => {};
  /** When the first one voted. */
  begun: number | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.decision = new Promise((decide, fail) => {
      this.decide = decide;
      this.fail = fail;
    });
    // Where nobody here waits for it, its failure must not count as unhandled.
    this.decision.catch(() => undefined);
  }
}

/**
 * The samples of one of several trainers: every n-th, from its rank on. All have as many; what is left over nobody has. Only
 * the first evaluates.
 * @throws OptionError for a stream, and for more trainers than samples
 */
export function shareOf<D extends TrainingData>(data: D, rank: number, voters: number): D {
  if (voters === 1) return data;
  const { train, test: _, validation: __, ...others } = data;
  const count = Math.floor(train.count / voters);
  if (isStreamed(train) || count === 0) {
    throw new OptionError('Samples are shared among trainers.', {
      given: isStreamed(train) ? 'a stream' : `${train.count} samples, ${voters} trainers`,
      expected: 'samples in memory, one a trainer or more',
      where: data.name,
    });
  }
  const share = pick(
    train,
    Array.from({ length: count }, (_, i) => i * voters + rank),
  );
  return (rank === 0 ? { ...data, train: share } : { ...others, train: share }) as D;
}
