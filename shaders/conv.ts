/** Convolutions of signs. */
export default import.meta.glob<string>(['./conv/binary_forward.wgsl', './conv/binary_forward_tile.wgsl'], {
  eager: true,
  import: 'default',
});
