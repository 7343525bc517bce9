/** Signs to words and back. */
export default import.meta.glob<string>('./pack/*.wgsl', { eager: true, import: 'default' });
