/** Quantizers and their gradients. */
export default import.meta.glob<string>('./quantize/*.wgsl', { eager: true, import: 'default' });
