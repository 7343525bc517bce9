/** Statistics of rows that pass gradients on, of the few rules that have such: on its own, so that others come without. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** f32 [SIZE] plus what statistics of their rows pass on, of sums vec4f [SIZE / LENGTH]. */
export const rowThrough = defineKernel({
  name: 'rows/through',
  source: () => import('../../shaders/rows.ts'),
  bindings: { own: 'read', x: 'read', statistics: 'read', sums: 'read', out: 'write' },
  constants: ['SIZE', 'LENGTH'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});
