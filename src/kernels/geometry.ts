/** Statistics of latent filters. */
import statisticsSource from '../../shaders/geometry/statistics.wgsl';
import sumsSource from '../../shaders/geometry/sums.wgsl';
import sumsSource4 from '../../shaders/geometry/sums4.wgsl';
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/* @__NO_SIDE_EFFECTS__ */
const sums = (name: string, source: string) =>
  defineKernel({
    name,
    source,
    bindings: { latent: 'read', sums: 'write', counts: 'write' },
    constants: ['FILTERS', 'LENGTH', 'CHUNKS'],
    workgroups: ({ FILTERS, CHUNKS }) => linearWorkgroups(FILTERS * CHUNKS, 64),
  });

/** f32 [FILTERS, LENGTH] to sums and counts of CHUNKS parts of each filter, any length. */
export const filterSums = sums('geometry/sums', sumsSource);
/** The same for lengths that are multiples of 4. */
export const filterSums4 = sums('geometry/sums4', sumsSource4);

/** Sums and counts to f32 [FILTERS, 8]. */
export const filterStatistics = defineKernel({
  name: 'geometry/statistics',
  source: statisticsSource,
  bindings: { latent: 'read', sums: 'read', counts: 'read', statistics: 'write' },
  constants: ['FILTERS', 'LENGTH', 'CHUNKS'],
  workgroups: ({ FILTERS }) => [Math.ceil(FILTERS / 64), 1, 1],
});
