/** What the hardware could do: kernels that do one thing only, for the benchmark to measure its ceilings with. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/bench.ts');

/** Operations of one round of one invocation in `popcounts`, `logic` and `multiplyAdds`: 8 vectors of 4, four times. */
export const OPERATIONS_PER_ROUND = 128;

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const popcounts = defineKernel({
  name: 'bench/popcounts',
  source: shaders,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const logic = defineKernel({
  name: 'bench/logic',
  source: shaders,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** f32 [10, 4] (8 starts, the factor, the addend) to f32 [COUNT, 8, 4]. */
export const multiplyAdds = defineKernel({
  name: 'bench/multiply_adds',
  source: shaders,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [COUNT, 4] to u32 [COUNT, 4]. */
export const copy = defineKernel({
  name: 'bench/copy',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** Adds 1 to u32 [1]. */
export const tick = defineKernel({
  name: 'bench/tick',
  source: shaders,
  bindings: { ticks: 'write' },
  constants: [],
  workgroups: () => [1, 1, 1],
});
