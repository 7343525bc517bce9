/** Convolutions. */
export default import.meta.glob<string>(
  ['./conv/{binary,sign,real}_forward.wgsl', './conv/{binary,real}_forward_tile.wgsl'],
  { eager: true, import: 'default' },
);
