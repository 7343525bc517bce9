/** Convolutions whose invocations share by subgroups. */
export default import.meta.glob<string>(['./conv/*_quads*.wgsl', '!./conv/*_grad_*.wgsl'], {
  eager: true,
  import: 'default',
});
