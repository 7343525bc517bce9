/** Hypervectors: memories, binding, bundling, rotation, search. */
export default import.meta.glob<string>('./vectors/*.wgsl', { eager: true, import: 'default' });
