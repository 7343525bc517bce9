/** Batch normalisation by statistics that are there. */
export default import.meta.glob<string>('./norm/apply*.wgsl', { eager: true, import: 'default' });
