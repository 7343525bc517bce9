/** A `.wgsl` import is the text of that shader with its includes resolved at build time (see `link.ts`). */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
