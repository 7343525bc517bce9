/** Values in another order. */
export default import.meta.glob<string>('./movement/*.wgsl', { eager: true, import: 'default' });
