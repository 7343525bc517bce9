/** What runs on TensorFlow.js' backend, whose kernels can't wait until shaders are loaded. It has no matrix units. */
export default import.meta.glob<string>(
  [
    './{conv,gemm,pack,pool,quantize}/*.wgsl',
    '!./{conv,gemm}/*_matrix_*.wgsl',
    '!./gemm/grouped_*.wgsl',
    '!./conv/planes_*.wgsl',
    '!./pool/*_grad.wgsl',
  ],
  { eager: true, import: 'default' },
);
