/** Products of activations with signs in groups that have a scale each, and what activations are made into for them. */
export default import.meta.glob<string>(['./gemm/grouped_*.wgsl', './tokens/*.wgsl'], {
  eager: true,
  import: 'default',
});
