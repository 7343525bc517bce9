/** Statistics of the rows of weights, and what quantizers make of them. */
export default import.meta.glob<string>('./rows/*.wgsl', { eager: true, import: 'default' });
