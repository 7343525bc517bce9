/** Trainers that vote with the one of `train`: in this process, or at workers. */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { sourceDigest } from '../data/index.ts';
import { OptionError, QueueError } from '../errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../formats/index.ts';
import type { Gpu } from '../gpu/index.ts';
import { type Checkpoint, Trainer, type TrainerOptions, type Vote } from '../index.ts';
import {
  type Kind,
  PollingPlace,
  type Queue,
  queuedSeat,
  RemoteVoter,
  type Seat,
  seatSchema,
  type Traffic,
  VoterStopped,
} from '../nats/index.ts';
import type { OwnData } from '../node/index.ts';
import { npx } from '../npx.ts';
import { contentDigest } from '../numerics/digest.ts';
import { Poll, type Round } from '../regimes/index.ts';
import { checked, type RunOptions } from '../reports/story.ts';
import { bytesText } from '../reports/words.ts';
import { describeAdapter } from './options.ts';
import { type DataPlace, loadRun, trainerOptions } from './runs.ts';

/** The other voters of a training. */
export interface Voters {
  /** What the first one votes by. */
  readonly votes: 'alone' | Vote;
  /** Has them go on from where the first one is; over before they do where it is stopped. */
  begin(first: Trainer, signal: AbortSignal): Promise<void>;
  /** Lets them go. */
  end(): Promise<void>;
  /** What there is to say of it, in lines. */
  summary(): string[];
}

/** What ends a poll whose training is over. */
const OVER = 'The training is over.';

/** Trainers in this process, on the same GPU: what several machines would do, to the bit. */
export function votersHere(gpu: Gpu, run: RunOptions, place: DataPlace | { readonly data: OwnData }): Voters {
  const { votes: voters = 1, seed } = run;
  const tally = new Tally(voters);
  const poll = new Poll({ voters, seed, onRound: (round) => tally.add(round) });
  const others: { readonly trainer: Trainer; readonly over: Promise<unknown> }[] = [];
  return {
    votes: voters === 1 ? 'alone' : poll.voter(0),
    async begin(first) {
      tally.begin(first);
      const checkpoint = await first.checkpoint();
      for (let rank = 1; rank < voters; rank++) {
        const share = await loadRun(run, place, undefined, rank);
        const trainer = await voter(gpu, run, rank, { ...share, checkpoint, votes: poll.voter(rank) });
        // Where it fails, the others would wait for it for ever.
        others.push({ trainer, over: trainer.fit().catch((error: Error) => poll.close(error)) });
      }
    },
    async end() {
      poll.close(new QueueError(OVER));
      for (const { trainer, over } of others) {
        await over;
        trainer.dispose();
      }
    },
    summary: () => tally.lines(),
  };
}

/** How trainings are voted on beyond one machine. */
export interface ThereOptions {
  readonly queue: Queue;
  /** Milliseconds. */
  readonly deadline: number;
  readonly say: (text: string) => void;
}

/** Trainers at workers, which take seats from the queue. @throws OptionError for data that workers lack */
export async function votersThere(
  gpu: Gpu,
  run: RunOptions,
  { queue, deadline, say }: ThereOptions,
): Promise<Voters> {
  const { votes: voters = 1, seed } = run;
  if (run.own !== undefined) {
    throw new OptionError('Workers have the data sets that have names.', {
      given: run.dataset,
      where: '--dataset',
      remedy: 'let trainers vote in one process: without --nats',
    });
  }
  const tally = new Tally(voters);
  const id = randomUUID();
  const mine = describeAdapter(gpu);
  const place = new PollingPlace(
    queue.connection,
    id,
    { voters, seed, deadline, onRound: (round) => tally.add(round, say) },
    (rank, adapter) =>
      say(
        `voter     ${rank} of ${voters - 1}: ${adapter}${adapter === mine ? '' : ', of another kind: its last digits may be others'}`,
      ),
  );
  const seats = new Map<number, string>();
  let trained: Trainer | undefined;
  return {
    votes: place.poll.voter(0),
    async begin(first, signal) {
      trained = first;
      tally.begin(first);
      const checkpoint = encodeCheckpoint(await first.checkpoint());
      for (let rank = 1; rank < voters; rank++) {
        const { data } = await loadRun(run, {}, undefined, rank);
        const { digest, job } = await queuedSeat({ id, rank, run, digest: sourceDigest(data.train) });
        await queue.keepCheckpoint(digest, checkpoint);
        await queue.put(digest, job);
        seats.set(rank, digest);
      }
      if (voters > 1) say(`seats     for ${voters - 1} voters at workers`);
      await place.all(voters, signal);
    },
    async end() {
      const { sent, received } = place.traffic;
      await place.close(new QueueError(OVER));
      tally.traffic = { sent, received };
      if (trained === undefined) return;
      const own = await digestOfTrained(trained);
      for (const [rank, digest] of seats) {
        if (tally.isAway(rank)) continue;
        const there = await resultOf(queue, digest);
        if (there?.weights !== undefined && there.weights !== own && there.steps === trained.progress.step)
          say(`voter     ${rank} ended with other weights: its adapter computes other last digits`);
      }
    },
    summary: () => tally.lines(),
  };
}

/** What is read of a voter's result; one that failed has neither. */
const resultSchema = v.object({ weights: v.optional(v.string()), steps: v.optional(v.number()) });

/** What came of a voter, once that is there; it is waited for for some seconds. */
async function resultOf(
  queue: Queue,
  digest: string,
): Promise<v.InferOutput<typeof resultSchema> | undefined> {
  for (let tried = 0; tried < 20; tried++) {
    const text = await queue.result(digest);
    if (text !== undefined) {
      return checked(text, resultSchema, {
        what: 'A result of a voter is malformed.',
        where: 'train --votes',
      });
    }
    await new Promise((done) => setTimeout(done, 250));
  }
  return undefined;
}

/** How a worker votes in a training. */
export function seats(queue: Queue): Kind<Seat> {
  return {
    schema: seatSchema,
    title: ({ rank, run }) => `voter ${rank} of ${(run.votes ?? 1) - 1}, ${run.dataset}-${run.model}`,
    async run(seat, { gpu, signal, say, checkpoint, print }) {
      const { rank, run } = seat;
      const { data, model } = await loadRun(run, {}, undefined, rank);
      const digest = sourceDigest(data.train);
      if (digest !== seat.digest) {
        throw new QueueError('The data here are not what the training has.', {
          given: digest,
          expected: seat.digest,
          where: run.dataset,
          remedy: `get the same files on both machines: ${npx(`data ${run.dataset}`)}`,
        });
      }
      const bytes = await checkpoint();
      if (bytes === undefined) return { state: 'gone' };
      let share = 0;
      const remote = new RemoteVoter(queue.connection, seat, () => say(share));
      const start = decodeCheckpoint(bytes, `voter ${rank}`).checkpoint;
      const trainer = await voter(gpu, run, rank, { data, model, checkpoint: start, votes: remote.vote });
      try {
        if (!(await remote.enter(describeAdapter(gpu)))) return { state: 'late' };
        print(': votes');
        const { step } = await trainer.fit({
          signal,
          onSteps: (info) => {
            share = info.step / (info.epochs * info.batches);
            say(share);
          },
        });
        const { sent, received } = remote.traffic;
        const steps = step - start.progress.step;
        print(
          `: a step sent ${bytesText(Math.round(sent / steps))} and received ${bytesText(Math.round(received / steps))}`,
        );
        return {
          state: signal.aborted ? 'left' : 'done',
          steps: step,
          sent,
          received,
          weights: await digestOfTrained(trainer),
        };
      } catch (cause) {
        if (!(cause instanceof VoterStopped)) throw cause;
        print(`: ${cause.what}`);
        return { state: 'stopped' };
      } finally {
        remote.close();
        trainer.dispose();
      }
    },
  };
}

/** A trainer of a run that stands where the first one of it stood. */
async function voter(
  gpu: Gpu,
  run: RunOptions,
  rank: number,
  {
    data,
    model,
    checkpoint,
    votes,
  }: Pick<Awaited<ReturnType<typeof loadRun>>, 'data' | 'model'> & {
    readonly checkpoint: Checkpoint;
    readonly votes: Vote;
  },
): Promise<Trainer> {
  const options: TrainerOptions = { ...trainerOptions(run, rank), refitStatistics: false, votes };
  const trainer = await Trainer.create(gpu, model, data, options);
  // Its samples and their order are its own.
  const { fixed } = trainer.progress;
  await trainer.restore({ ...checkpoint, progress: { ...checkpoint.progress, fixed } });
  return trainer;
}

/** What is trained of a network: statistics of batches are each trainer's own. */
function trainedOf({ network }: Trainer) {
  return [...network.parameters.values()].filter(
    ({ spec }) => spec.role !== 'statistic' && spec.derived !== true,
  );
}

async function digestOfTrained(trainer: Trainer): Promise<string> {
  const values = await trainer.network.values();
  return trainedOf(trainer)
    .map(({ name }) => contentDigest(values.get(name) ?? new Float32Array()))
    .join(' ');
}

/** Counts what was voted on. */
class Tally {
  traffic: Traffic | undefined;
  readonly #voters: number;
  readonly #leftOut = new Map<number, number>();
  #away: readonly number[] = [];
  #rounds = 0;
  #bytes = 0;
  #floats = 0;

  constructor(voters: number) {
    this.#voters = voters;
  }

  begin(first: Trainer): void {
    this.#floats = trainedOf(first).reduce((sum, { value }) => sum + value.byteLength, 0);
  }

  add({ step, leftOut, decision }: Round, say?: (text: string) => void): void {
    this.#rounds += 1;
    this.#bytes = decision.byteLength;
    for (const rank of leftOut) {
      this.#leftOut.set(rank, 1 + (this.#leftOut.get(rank) ?? 0));
      if (!this.#away.includes(rank))
        say?.(`voter     ${rank} is left out from step ${step + 1} on: it says nothing`);
    }
    for (const rank of this.#away) {
      if (!leftOut.includes(rank)) say?.(`voter     ${rank} votes again from step ${step + 1} on`);
    }
    this.#away = leftOut;
  }

  isAway(rank: number): boolean {
    return this.#away.includes(rank);
  }

  lines(): string[] {
    if (this.#rounds === 0) return [];
    const [ballot, floats] = [bytesText(this.#bytes), bytesText(this.#floats)];
    const times = (this.#floats / this.#bytes).toFixed(1);
    const { sent = 0, received = 0 } = this.traffic ?? {};
    const each = (bytes: number) => bytesText(Math.round(bytes / this.#rounds));
    return [
      `${this.#rounds} steps by ${this.#voters} trainers; a ballot has ${ballot}, gradients as floats ${floats}: ${times} times as much`,
      ...(this.traffic === undefined
        ? []
        : [`on the wire a step: ${each(sent)} sent from here, ${each(received)} received`]),
      ...[...this.#leftOut].map(([rank, steps]) => `voter ${rank} was left out of ${steps} steps`),
    ];
  }
}
