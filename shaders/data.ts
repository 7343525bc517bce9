/** Bytes as numbers, and rows of what a batch is made of. */
export default import.meta.glob<string>('./data/{bytes,rows}.wgsl', { eager: true, import: 'default' });
