/**
 * The shader linker: resolves `//!include "lib/name.wgsl"` lines at build time, so that a shader on disk stays plain WGSL.
 * A file is included once, however often it is named. A line `//!hole name "methods/x.wgsl"` is where a method's own
 * function goes: the file that it names stands there, between marks, until `src/gpu/frame.ts` puts another in its place.
 */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const INCLUDE = /^\s*\/\/!include\s+"([^"]+)"\s*$/;
const HOLE = /^\s*\/\/!hole\s+(\w+)\s+"([^"]+)"\s*$/;

/**
 * Returns the text of `file` with every included file in place of its include line.
 *
 * @param file absolute path of a `.wgsl` file
 * @param root folder that include paths are relative to (`shaders/`)
 * @param read how a file is read; injectable for tests
 * @returns the linked text, and the files it was made from
 * @throws Error naming the including file and line when a file is missing or includes itself
 */
export function linkShader(
  file: string,
  root: string,
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): { text: string; files: string[] } {
  const files: string[] = [];
  const visit = (path: string, chain: readonly string[]): string => {
    if (chain.includes(path)) throw new Error(`shader include cycle: ${[...chain, path].join(' -> ')}`);
    if (files.includes(path)) return '';
    files.push(path);
    return read(path)
      .split('\n')
      .map((line, index) => {
        const [, hole, filling] = HOLE.exec(line) ?? [];
        const target = filling ?? INCLUDE.exec(line)?.[1];
        if (target === undefined) return line;
        try {
          const text = visit(resolve(root, target), [...chain, path]);
          return hole === undefined ? text : `//!begin ${hole}\n${text}\n//!end ${hole}`;
        } catch (cause) {
          if (cause instanceof Error && cause.message.startsWith('shader include')) throw cause;
          throw new Error(`shader include "${target}" not found (${path}:${index + 1})`, { cause });
        }
      })
      .join('\n');
  };
  const text = visit(file, []);
  // What a method's text may include is not taken in twice.
  const pieces = files.slice(1).map((path) => `//!has "${relative(root, path).replaceAll('\\', '/')}"`);
  return { text: text.includes('//!begin ') ? `${pieces.join('\n')}\n${text}` : text, files };
}

/** Drops comments, indentation and blank lines: what ships does not carry what only a reader needs. Marks stay. */
export function stripShader(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => (line.startsWith('//!') ? line : line.replace(/\/\/.*$/, '')).trim())
    .filter((line) => line !== '')
    .join('\n');
}

/** What test/run.js starts a process with that works by way of a link: those that it starts need it too. */
export function linkFlags(): string[] {
  return process.execArgv.filter((flag) => flag.startsWith('--preserve-symlinks'));
}

/** Vite plugin: `import source from './x.wgsl'` gives the linked text. */
export function wgsl(options: { strip?: boolean } = {}): Plugin {
  const root = dirname(fileURLToPath(import.meta.url));
  return {
    name: 'wgsl',
    enforce: 'pre',
    // Vite goes by way of a link where Node does.
    config: () => ({ resolve: { preserveSymlinks: linkFlags().length > 0 } }),
    load(id) {
      if (!id.endsWith('.wgsl')) return null;
      const { text, files } = linkShader(id, root);
      for (const file of files) this.addWatchFile(file);
      return `export default ${JSON.stringify(options.strip ? stripShader(text) : text)};`;
    },
  };
}
