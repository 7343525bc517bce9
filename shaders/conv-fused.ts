/** Convolutions that finish what they make. */
export default import.meta.glob<string>(['./conv/fused_{real,signs}.wgsl', './conv/fused_*_tile.wgsl'], {
  eager: true,
  import: 'default',
});
