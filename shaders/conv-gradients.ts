/** Gradients of convolutions. */
export default import.meta.glob<string>(
  ['./conv/*_grad_*.wgsl', '!./conv/*_matrix_*.wgsl', './conv/sum_slices.wgsl'],
  { eager: true, import: 'default' },
);
