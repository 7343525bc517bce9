/**
 * What owns memory, and `using`. Nothing but this file names `Symbol.dispose` where a browser may load it: Safari has none, and a
 * method of the name `[undefined]` is none. Classes inherit it from here, since one that computes a name of its own can't be left
 * away by a bundler.
 */

/**
 * The name of the method that frees a thing: `Symbol.dispose`, or where an engine has none, the symbol that those who turn `using`
 * into older JavaScript ask for there (Vite, esbuild, Babel).
 */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');

/** Owns something that is freed once. */
export abstract class Owner {
  /** Whether it was freed. */
  get disposed(): boolean {
    return false;
  }

  /** Frees what it holds. @throws DisposedError the second time */
  abstract dispose(): void;

  /** What `using` calls: frees what was not freed yet. */
  [DISPOSE](): void {
    if (!this.disposed) this.dispose();
  }
}
