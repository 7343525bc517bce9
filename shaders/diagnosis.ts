/** What is asked when a training fails. */
export default import.meta.glob<string>('./data/non_finite.wgsl', { eager: true, import: 'default' });
