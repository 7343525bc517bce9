/** What changes samples while training beyond crops and mirror images. */
export default import.meta.glob<string>('./augment/*.wgsl', { eager: true, import: 'default' });
