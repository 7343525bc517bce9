/** Trainers that vote with the one of `train`: in this process. */
import { BnnError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { type Checkpoint, Trainer, type TrainerOptions, type Vote } from '../index.ts';
import type { OwnData } from '../node/index.ts';
import { Poll, type Round } from '../regimes/index.ts';
import type { RunOptions } from '../reports/story.ts';
import { bytesText } from '../reports/words.ts';
import { type DataPlace, loadRun, trainerOptions } from './runs.ts';

/** The other voters of a training. */
export interface Voters {
  /** What the first one votes by. */
  readonly votes: 'alone' | Vote;
  /** Has them go on from where the first one is. */
  begin(first: Trainer): Promise<void>;
  /** Lets them go. */
  end(): Promise<void>;
  /** What there is to say of it, in lines. */
  summary(): string[];
}

/** What ends a poll whose training is over. */
class Over extends BnnError {
  readonly code = 'over';
}

/** Trainers in this process, on the same GPU: what several machines would do, to the bit. */
export function votersHere(gpu: Gpu, run: RunOptions, place: DataPlace | { readonly data: OwnData }): Voters {
  const { votes: voters = 1, seed } = run;
  const tally = new Tally();
  const poll = new Poll({ voters, seed, onRound: (round) => tally.add(round) });
  const others: { readonly trainer: Trainer; readonly over: Promise<unknown> }[] = [];
  return {
    votes: voters === 1 ? 'alone' : poll.voter(0),
    async begin(first) {
      tally.begin(first);
      const checkpoint = await first.checkpoint();
      for (let rank = 1; rank < voters; rank++) {
        const { data, model } = await loadRun(run, place, undefined, rank);
        const trainer = await voter(gpu, run, rank, { data, model, checkpoint, votes: poll.voter(rank) });
        const over = trainer.fit().catch((error: Error) => {
          // The others would wait for it for ever.
          if (!(error instanceof Over)) poll.close(error);
        });
        others.push({ trainer, over });
      }
    },
    async end() {
      poll.close(new Over('The training is over.'));
      for (const { trainer, over } of others) {
        await over;
        trainer.dispose();
      }
    },
    summary: () => tally.lines(voters),
  };
}

/** A trainer of a run that stands where the first one of it stood. */
export async function voter(
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

/** Counts what was voted on. */
export class Tally {
  #rounds = 0;
  #bytes = 0;
  #floats = 0;

  begin({ network }: Trainer): void {
    const trained = [...network.parameters.values()].filter(
      ({ spec }) => spec.role !== 'statistic' && spec.derived !== true,
    );
    this.#floats = trained.reduce((sum, { value }) => sum + value.byteLength, 0);
  }

  add({ decision }: Round): void {
    this.#rounds += 1;
    this.#bytes = decision.byteLength;
  }

  lines(voters: number): string[] {
    if (this.#rounds === 0) return [];
    const times = (this.#floats / this.#bytes).toFixed(1);
    return [
      `${this.#rounds} steps by ${voters} trainers; a ballot has ${bytesText(this.#bytes)}, gradients as floats ${bytesText(this.#floats)}, ${times} times as much`,
    ];
  }
}
