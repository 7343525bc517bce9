/** Matrix products. */
export default import.meta.glob<string>(
  [
    './gemm/{binary,sign,real}.wgsl',
    './gemm/{binary,sign,real}_tile.wgsl',
    './gemm/real_{nt,tn}_tile.wgsl',
    './gemm/binary_columns.wgsl',
  ],
  { eager: true, import: 'default' },
);
