/** Measures of weights and signs. */
export default import.meta.glob<string>('./geometry/*.wgsl', { eager: true, import: 'default' });
