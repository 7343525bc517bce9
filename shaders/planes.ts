/** Convolutions of the bit planes of images. */
export default import.meta.glob<string>('./conv/planes_*.wgsl', { eager: true, import: 'default' });
