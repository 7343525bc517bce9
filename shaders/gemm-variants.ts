/** Matrix products that run where they were measured or pinned. */
export default import.meta.glob<string>(['./gemm/binary_{bytes,shared}.wgsl', './gemm/*_carry_*.wgsl'], {
  eager: true,
  import: 'default',
});
