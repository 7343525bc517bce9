/** What the hardware could do. */
export default import.meta.glob<string>('./bench/*.wgsl', { eager: true, import: 'default' });
