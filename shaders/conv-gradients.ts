/** Gradients of convolutions. */
export default import.meta.glob<string>(
  ['./conv/*_grad_*.wgsl', '!./conv/*_{matrix_*,quads}.wgsl', './conv/sum_slices*.wgsl'],
  { eager: true, import: 'default' },
);
