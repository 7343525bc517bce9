/** What normalisations are folded into. */
export default import.meta.glob<string>('./inference/*.wgsl', { eager: true, import: 'default' });
