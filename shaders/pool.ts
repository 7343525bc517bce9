/** Pooling. */
export default import.meta.glob<string>(['./pool/*.wgsl', '!./pool/*_grad.wgsl'], {
  eager: true,
  import: 'default',
});
