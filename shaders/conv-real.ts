/** Convolutions of reals, with real and binary filters. */
export default import.meta.glob<string>(
  ['./conv/{sign,real}_forward.wgsl', './conv/real_forward_tile.wgsl'],
  { eager: true, import: 'default' },
);
