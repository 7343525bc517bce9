/** What the hardware could do: kernels that do one thing only, for the benchmark to measure its ceilings with. */
import copySource from '../../shaders/bench/copy.wgsl';
import logicSource from '../../shaders/bench/logic.wgsl';
import multiplyAddsSource from '../../shaders/bench/multiply_adds.wgsl';
import popcountsSource from '../../shaders/bench/popcounts.wgsl';
import tickSource from '../../shaders/bench/tick.wgsl';
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** Operations of one round of one invocation in `popcounts`, `logic` and `multiplyAdds`: 8 vectors of 4, four times. */
export const OPERATIONS_PER_ROUND = 128;

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const popcounts = defineKernel({
  name: 'bench/popcounts',
  source: popcountsSource,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [8, 4] to u32 [COUNT, 4]. */
export const logic = defineKernel({
  name: 'bench/logic',
  source: logicSource,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** f32 [10, 4] (8 starts, the factor, the addend) to f32 [COUNT, 8, 4]. */
export const multiplyAdds = defineKernel({
  name: 'bench/multiply_adds',
  source: multiplyAddsSource,
  bindings: { seed: 'read', out: 'write' },
  constants: ['COUNT', 'ROUNDS'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** u32 [COUNT, 4] to u32 [COUNT, 4]. */
export const copy = defineKernel({
  name: 'bench/copy',
  source: copySource,
  bindings: { x: 'read', out: 'write' },
  constants: ['COUNT'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** Adds 1 to u32 [1]. */
export const tick = defineKernel({
  name: 'bench/tick',
  source: tickSource,
  bindings: { ticks: 'write' },
  constants: [],
  workgroups: () => [1, 1, 1],
});
