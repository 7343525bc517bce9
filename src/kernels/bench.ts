/** What the hardware could do: kernels that do one thing only, for the benchmark to measure its ceilings with. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** Operations of one round of one invocation in `popcounts`, `logic` and `multiplyAdds`: 8 vectors of 4, four times. */
export const OPERATIONS_PER_ROUND = 128;

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const popcounts = defineKernel({
  name: 'bench/popcounts',
  source: () => import('../../shaders/bench/popcounts.wgsl'),
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const logic = defineKernel({
  name: 'bench/logic',
  source: () => import('../../shaders/bench/logic.wgsl'),
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** f32 [10, 4] (8 starts, the factor, the addend) to f32 [COUNT, 8, 4]. */
export const multiplyAdds = defineKernel({
  name: 'bench/multiply_adds',
  source: () => import('../../shaders/bench/multiply_adds.wgsl'),
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [COUNT, 4] to u32 [COUNT, 4]. */
export const copy = defineKernel({
  name: 'bench/copy',
  source: () => import('../../shaders/bench/copy.wgsl'),
  bindings: { x: 'read', out: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** Adds 1 to u32 [1]. */
export const tick = defineKernel({
  name: 'bench/tick',
  source: () => import('../../shaders/bench/tick.wgsl'),
  bindings: { ticks: 'write' },
  constants: [],
  workgroups: () => [1, 1, 1],
});
