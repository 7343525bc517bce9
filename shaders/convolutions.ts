/** Convolutions with the layouts of their operands, fused and not, and pooling. */
export default import.meta.glob<string>(
  [
    './conv/binary_forward{,_tile}.wgsl',
    './conv/fused_{real,signs}{,_tile}.wgsl',
    './conv/{sign_forward,real_forward,real_forward_tile}.wgsl',
    './conv/{pad,tap_sums,edge_sums,*_filters}.wgsl',
    '!./conv/planes_filters.wgsl',
    './pool/*.wgsl',
    '!./pool/*_grad.wgsl',
  ],
  { eager: true, import: 'default' },
);
