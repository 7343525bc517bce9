/** Gradients of pooling. */
export default import.meta.glob<string>('./pool/*_grad.wgsl', { eager: true, import: 'default' });
