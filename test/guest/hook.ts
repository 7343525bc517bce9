/** A hook of an outsider: it pushes undecided weights away from 0, freezes the first layer, and stops. */
import type { Checkpoint, Hook } from 'webgpu-bnn';

const KEPT = 'acme.decide/pushed';

export interface DecideOptions {
  /** The parameter whose weights are pushed. */
  readonly parameter: string;
  readonly everySteps: number;
  /** Latent weights are at least so far from 0 after each call. */
  readonly distance: number;
  /** The step from which on what matches is frozen. */
  readonly freeze: { readonly from: number; readonly match: RegExp };
  /** The epoch after which the training stops. */
  readonly epochs: number;
  /** The checkpoint that the training goes on from. */
  readonly resume?: Checkpoint;
}

export function decide({ parameter, distance, freeze, epochs, resume, everySteps }: DecideOptions) {
  let pushed = resume?.tensors.get(KEPT)?.data[0] ?? 0;
  const hook: Hook = {
    everySteps,
    async onSteps(context) {
      const values = await context.read(parameter);
      const decided = values.map((w) => (Math.abs(w) < distance ? (w < 0 ? -distance : distance) : w));
      pushed += decided.filter((w, i) => w !== values[i]).length;
      await context.write(parameter, decided);
      if (context.step >= freeze.from) await context.freeze(freeze.match);
    },
    onEpoch: (_, { epoch }) => (epoch === epochs ? 'stop' : undefined),
    state: async () => new Map([[KEPT, { dtype: 'F32', shape: [1], data: Float32Array.of(pushed) }]]),
  };
  return { hook, pushed: () => pushed };
}
