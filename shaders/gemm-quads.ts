/** Matrix products whose invocations share by subgroups. */
export default import.meta.glob<string>('./gemm/*_quads*.wgsl', { eager: true, import: 'default' });
