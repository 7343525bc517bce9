/** Gradients of matrix products. */
export default import.meta.glob<string>('./gemm/*_grad_*.wgsl', { eager: true, import: 'default' });
