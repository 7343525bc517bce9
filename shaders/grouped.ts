/** Products of reals with signs in groups that have a scale each. */
export default import.meta.glob<string>('./gemm/grouped_*.wgsl', { eager: true, import: 'default' });
