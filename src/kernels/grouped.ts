/** Products of reals with signs that have a scale for each group of them. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** f32 [M, K], bits [N, K] and f32 [N, K / GROUP] to f32 [M, N]: a workgroup makes four rows of four columns. */
export const groupedSign = defineKernel({
  name: 'gemm/grouped_sign',
  source: () => import('../../shaders/grouped.ts'),
  bindings: { x: 'read', w: 'read', scales: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GROUP'],
  workgroups: ({ M, N }) => linearWorkgroups(Math.ceil(M / 4) * Math.ceil(N / 4), 1),
  work: ({ M, N, K }) => M * N * K,
  splits: 'line',
});
