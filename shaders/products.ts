/** Matrix products of signs and reals, and what almost every network has beside them: packing and normalisation. */
export default import.meta.glob<string>(
  [
    './gemm/binary{,_tile,_columns}.wgsl',
    './gemm/{sign,real}{,_tile}.wgsl',
    './gemm/real_{nt,tn}_tile.wgsl',
    './norm/apply*.wgsl',
    './pack/*.wgsl',
  ],
  { eager: true, import: 'default' },
);
