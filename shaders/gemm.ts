/** Matrix products of signs. */
export default import.meta.glob<string>(['./gemm/binary.wgsl', './gemm/binary_{tile,columns}.wgsl'], {
  eager: true,
  import: 'default',
});
