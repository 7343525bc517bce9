/** Optimizers. */
export default import.meta.glob<string>('./optim/*.wgsl', { eager: true, import: 'default' });
