/**
 * Federated training by votes: networks train apart, each on its own samples, and now and then take the sign that most of them
 * have: one bit a weight and round goes each way.
 *
 *   await trainByVotes(trainers, { rounds: 10, steps: 50 });
 */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';
import type { Trainer } from '../train/index.ts';

/** The sign that most have; of a tie +1, as sign(0) is. @throws OptionError unless there are some, of one length */
export function majoritySigns(voters: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  assertPresent(voters, 'the voters', 'majoritySigns', 'map');
  for (const voter of voters) assertPresent(voter, 'a voter', 'majoritySigns', 'length');
  const [first] = voters;
  if (first === undefined || voters.some(({ length }) => length !== first.length)) {
    throw new OptionError('Votes are of the same weights.', {
      given: voters.map(({ length }) => length).join(', ') || 'no voters',
      where: 'majoritySigns',
    });
  }
  return first.map((_, i) =>
    voters.reduce((sum, own) => sum + ((own[i] ?? 0) < 0 ? -1 : 1), 0) < 0 ? -1 : 1,
  );
}

/** How often networks vote, and how long they train apart. */
export interface VoteOptions {
  /** How many votes are taken. */
  readonly rounds: number;
  /** Of each network between two votes. */
  readonly steps: number;
  /** Called after every vote with the share of the weights about which all agreed. */
  readonly onRound?: (round: number, agreed: number) => void;
}

/**
 * Trains networks of one model by rounds. After each, binary weights get the sign of most networks and keep their own
 * magnitudes; everything else (normalisation, what optimizers keep) stays with each network.
 * @throws OptionError for trainers of different models; what `runSteps` throws
 */
export async function trainByVotes(trainers: readonly Trainer[], options: VoteOptions): Promise<void> {
  assertKnownOptions(
    options,
    namesOf<VoteOptions>({ rounds: true, steps: true, onRound: true }),
    'trainByVotes',
  );
  assertPresent(trainers, 'the trainers', 'trainByVotes', 'length');
  const names = (trainers[0]?.network.binaryParameters ?? [])
    .filter(({ spec }) => spec.derived !== true)
    .map(({ name }) => name);
  for (let round = 0; round < options.rounds; round++) {
    for (const trainer of trainers) await trainer.runSteps(options.steps);
    let [agreed, all] = [0, 0];
    const values = await Promise.all(trainers.map(({ network }) => network.values()));
    const chosen = new Map<string, Float32Array>();
    for (const name of names) {
      const voters = values.map((own) => own.get(name) ?? new Float32Array());
      const signs = majoritySigns(voters);
      agreed += signs.filter((sign, i) =>
        voters.every((own) => ((own[i] ?? 0) < 0 ? -1 : 1) === sign),
      ).length;
      all += signs.length;
      chosen.set(name, signs);
    }
    for (const [index, trainer] of trainers.entries()) {
      const own = new Map(
        [...chosen].map(([name, signs]) => {
          const weights = values[index]?.get(name) ?? signs;
          return [name, signs.map((sign, i) => sign * Math.max(Math.abs(weights[i] ?? 0), LEAST))];
        }),
      );
      await trainer.network.write(own);
    }
    options.onRound?.(round, agreed / all);
  }
}

/** A weight of 0 has no side. */
const LEAST = 1e-6;
