/** What every training step has: batches, losses, the train state, and dropout. */
export default import.meta.glob<string>(
  ['./data/{gather,gather-flat,advance}.wgsl', './elementwise/dropout.wgsl', './loss/*.wgsl'],
  { eager: true, import: 'default' },
);
