/** Statistics of latent filters. */
import filtersSource from '../../shaders/geometry/filters.wgsl';
import filtersSource4 from '../../shaders/geometry/filters4.wgsl';
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const filters = (name: string, source: string) =>
  defineKernel({
    name,
    source,
    bindings: { latent: 'read', statistics: 'write' },
    constants: ['FILTERS', 'LENGTH'],
    workgroups: ({ FILTERS }) => linearWorkgroups(FILTERS, 1),
  });

/** f32 [FILTERS, LENGTH] to f32 [FILTERS, 8], any length. */
export const filterStatistics = filters('geometry/filters', filtersSource);
/** The same for lengths that are multiples of 4. */
export const filterStatistics4 = filters('geometry/filters4', filtersSource4);
