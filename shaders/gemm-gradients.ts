/** Gradients of matrix products. */
export default import.meta.glob<string>(['./gemm/*_grad_*.wgsl', '!./gemm/*_matrix_*.wgsl'], {
  eager: true,
  import: 'default',
});
