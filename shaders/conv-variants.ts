/** Convolutions that run where they were measured or pinned. */
export default import.meta.glob<string>(['./conv/*_{bytes,shared}.wgsl', './conv/*_carry_*.wgsl'], {
  eager: true,
  import: 'default',
});
