/** Statistics and gradients of batch normalisation. */
export default import.meta.glob<string>(['./norm/*.wgsl', '!./norm/apply*.wgsl'], {
  eager: true,
  import: 'default',
});
