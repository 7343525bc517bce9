/** Pieces of `shaders/lib` that the WGSL of a method may include; documented for authors of methods. */
export default import.meta.glob<string>('./lib/{index,random,signs,state}.wgsl', {
  eager: true,
  import: 'default',
});
