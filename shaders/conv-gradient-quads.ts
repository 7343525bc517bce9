/** Gradients of convolutions whose invocations share by subgroups. */
export default import.meta.glob<string>('./conv/*_grad_*_quads.wgsl', { eager: true, import: 'default' });
