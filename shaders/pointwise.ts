/** Functions of single values, and their gradients. */
export default import.meta.glob<string>('./pointwise/*.wgsl', { eager: true, import: 'default' });
