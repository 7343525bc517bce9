/** Sums, copies and bias. */
export default import.meta.glob<string>(['./elementwise/*.wgsl', '!./elementwise/dropout.wgsl'], {
  eager: true,
  import: 'default',
});
