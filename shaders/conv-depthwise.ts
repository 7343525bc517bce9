/** Binary convolutions of each channel with a filter of its own. */
export default import.meta.glob<string>('./conv/depthwise_*.wgsl', { eager: true, import: 'default' });
