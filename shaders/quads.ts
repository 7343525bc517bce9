/** Products and convolutions whose invocations share by subgroups. */
export default import.meta.glob<string>(['./{conv,gemm}/*_quads*.wgsl', '!./conv/*_grad_*.wgsl'], {
  eager: true,
  import: 'default',
});
