/** Training regimes of the field: a file each, made of trainers and hooks alone. */

export { type CyclicBits, type CyclicOptions, cyclicBits, trainCyclic } from './cyclic-precision.ts';
export {
  type Boosted,
  boost,
  bootstrap,
  type Ensemble,
  type EnsembleOptions,
  type EnsembleRule,
  trainEnsemble,
  voted,
} from './ensemble.ts';
export { type ExpectedSignsOptions, expectedSignDense, expectedSigns } from './expected-signs.ts';
export { type LateClipOptions, lateClip } from './late-clip.ts';
export { Poll, type PollOptions, type Round, shareOf } from './poll.ts';
export {
  maskedShare,
  maskSigns,
  type ProgressiveSigns,
  type ProgressiveSignsOptions,
  progressiveSigns,
} from './progressive.ts';
export { majoritySigns, trainByVotes, type VoteOptions } from './sign-votes.ts';
export { type Spela, type SpelaOptions, spela, spelaLoss } from './spela.ts';
export { keepSigns, type StableSigns, type StableSignsOptions, stableSigns } from './stable-signs.ts';
export { createMany, type Member, trainMany } from './train-many.ts';
export { type TurnToSignsOptions, turnToSigns } from './turn-to-signs.ts';
