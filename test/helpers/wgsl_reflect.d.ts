/** The one file of `wgsl_reflect` that Node can import carries no types of its own. */
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
