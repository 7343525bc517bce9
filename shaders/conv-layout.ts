/** Operands of convolutions, laid out as their kernels read them. */
export default import.meta.glob<string>(
  ['./conv/{pad,tap_sums,edge_sums,*_filters}.wgsl', '!./conv/planes_filters.wgsl'],
  { eager: true, import: 'default' },
);
