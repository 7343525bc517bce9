/**
 * The name of the method that frees a thing: `Symbol.dispose`, or where an engine has none (Safari), the symbol that those who turn
 * `using` into older JavaScript ask for there (Vite, esbuild, Babel). Nothing but this file names `Symbol.dispose` where a
 * browser may load it: a method of the name `[undefined]` is none.
 */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');
