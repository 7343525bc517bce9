/** Convolutions whose invocations share by subgroups. */
export default import.meta.glob<string>('./conv/*_quads.wgsl', { eager: true, import: 'default' });
