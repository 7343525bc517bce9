/** Matrix products of reals, with reals and signs. */
export default import.meta.glob<string>(
  ['./gemm/{sign,real}.wgsl', './gemm/{sign,real}_tile.wgsl', './gemm/real_{nt,tn}_tile.wgsl'],
  { eager: true, import: 'default' },
);
