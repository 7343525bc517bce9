/** Steps of an optimizer in float64: its twin, handed what kernels are handed. */
import type { Optimizer } from '../../src/methods/index.ts';

export interface Course {
  readonly steps: number;
  /** Default: all steps are of one epoch. */
  readonly epochSteps?: number;
  readonly rate?: number;
  /** Default: latent weights are clipped to [−1, 1], as trainings do. */
  readonly clipped?: boolean;
}

/** One weight's way. @returns the weight and what is kept of it, after each step */
export function follow(
  optimizer: Optimizer,
  start: number,
  gradientOf: (w: number, step: number) => number,
  { steps, epochSteps = steps, rate = 0.01, clipped = true }: Course,
): { readonly w: number; readonly slots: Readonly<Record<string, number>> }[] {
  const slots: Record<string, number> = Object.fromEntries(optimizer.update.slots.map((name) => [name, 0]));
  let w = start;
  return Array.from({ length: steps }, (_, step) => {
    const row = optimizer.scalarsAt({ step, steps, epochSteps, rate });
    const scalars = Object.fromEntries(optimizer.scalars.map((name, i) => [name, row[i] ?? 0]));
    const given = { w, g: gradientOf(w, step), slots, scalars, stepScale: 1, measured: 0, chance: 0.5 };
    const stepped = optimizer.definition.twin(given, optimizer.parameters as never);
    w = clipped ? Math.max(-1, Math.min(1, stepped)) : stepped;
    return { w, slots: { ...slots } };
  });
}
