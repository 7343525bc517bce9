/**
 * The shader linker: resolves `//!include "lib/name.wgsl"` lines at build time, so that a shader on disk stays plain WGSL.
 * A file is included once, however often it is named. A line `//!hole name "methods/x.wgsl"` is where a method's own
 * function goes: the file that it names stands there, between marks, until `src/gpu/frame.ts` puts another in its place.
 *
 * A piece says in lines `//!needs name, name` what it needs of the shader that takes it in, and in lines `//!gives name, name`
 * which of the names that it declares are for others: what is needed must be declared by the shader, or given by a piece.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const INCLUDE = /^\s*\/\/!include\s+"([^"]+)"\s*$/;
const NEEDS = /^\s*\/\/!needs\s+(.+?)\s*$/gm;
const GIVES = /^\s*\/\/!gives\s+(.+?)\s*$/gm;
const DECLARED = /\b(?:fn|const|override|struct|alias|var(?:<[^>]*>)?)\s+(\w+)/g;
const HOLE = /^\s*\/\/!hole\s+(\w+)\s+"([^"]+)"\s*$/;

/** A piece was taken into a shader that lacks what it needs, or gives what it doesn't declare. */
export class ShaderLinkError extends Error {
  override readonly name = 'ShaderLinkError';
  /** The piece's path. */
  readonly piece: string;
  /** What nothing declares. */
  readonly need: string;

  constructor(piece: string, need: string, what: string) {
    super(`shader piece ${piece} ${what}`);
    this.piece = piece;
    this.need = need;
  }
}

const namesIn = (text: string, lines: RegExp) =>
  [...text.matchAll(lines)].flatMap(([, names = '']) => names.split(/,\s*/));

/** @throws ShaderLinkError unless all that the parts' files need is declared for them, and all that they give is declared */
function assertNeeds(parts: readonly Part[], shader: string): void {
  const texts = new Map<string, string>();
  for (const { file = '', text } of parts) texts.set(file, `${texts.get(file) ?? ''}\n${text}`);
  const open = new Set<string>();
  for (const [file, text] of texts) {
    const declared = [...text.replace(/\/\/.*$/gm, '').matchAll(DECLARED)].map(([, name = '']) => name);
    const given = namesIn(text, GIVES);
    const missing = given.find((name) => !declared.includes(name));
    if (missing !== undefined) {
      throw new ShaderLinkError(file, missing, `gives ${missing}, which it does not declare`);
    }
    for (const name of given.length > 0 ? given : declared) open.add(name);
  }
  for (const [file, text] of texts) {
    const missing = namesIn(text, NEEDS).find((need) => !open.has(need));
    if (missing === undefined) continue;
    throw new ShaderLinkError(file, missing, `needs ${missing}, which nothing in ${shader} declares`);
  }
}

/** Lines of a file that stand together in everything that takes it in. */
interface Part {
  /** The file that they are of; undefined for the marks around holes, which are of none. */
  readonly file: string | undefined;
  /** How many lines that take in other files are before them. */
  readonly at: number;
  readonly text: string;
}

/** The lines of a file between those that take in others, and what these are. */
function split(text: string) {
  const between: string[][] = [[]];
  const taken: { readonly target: string; readonly hole: string | undefined; readonly line: number }[] = [];
  text.split('\n').forEach((line, index) => {
    const [, hole, filling] = HOLE.exec(line) ?? [];
    const target = filling ?? INCLUDE.exec(line)?.[1];
    if (target === undefined) between.at(-1)?.push(line);
    else {
      taken.push({ target, hole, line: index + 1 });
      between.push([]);
    }
  });
  return { between, taken };
}

/** What a linked shader is made of, in its order, and the files that it is from. */
function partsOf(
  file: string,
  root: string,
  read: (path: string) => string,
): { parts: Part[]; files: string[] } {
  const parts: Part[] = [];
  const files: string[] = [];
  const mark = (text: string) => parts.push({ file: undefined, at: 0, text });
  const visit = (path: string, chain: readonly string[]): void => {
    if (chain.includes(path)) throw new Error(`shader include cycle: ${[...chain, path].join(' -> ')}`);
    if (files.includes(path)) {
      mark('');
      return;
    }
    files.push(path);
    const { between, taken } = split(read(path));
    between.forEach((lines, at) => {
      if (lines.length > 0) parts.push({ file: path, at, text: lines.join('\n') });
      const next = taken[at];
      if (next === undefined) return;
      if (next.hole !== undefined) mark(`//!begin ${next.hole}`);
      try {
        visit(resolve(root, next.target), [...chain, path]);
      } catch (cause) {
        if (cause instanceof Error && cause.message.startsWith('shader include')) throw cause;
        throw new Error(`shader include "${next.target}" not found (${path}:${next.line})`, { cause });
      }
      if (next.hole !== undefined) mark(`//!end ${next.hole}`);
    });
  };
  visit(file, []);
  assertNeeds(parts, file);
  if (parts.every(({ text }) => !text.startsWith('//!begin '))) return { parts, files };
  // What a method's text may include is not taken in twice.
  const pieces = files.slice(1).map((path) => `//!has "${relative(root, path).replaceAll('\\', '/')}"`);
  return { parts: [{ file: undefined, at: 0, text: pieces.join('\n') }, ...parts], files };
}

/**
 * Returns the text of `file` with every included file in place of its include line.
 *
 * @param file absolute path of a `.wgsl` file
 * @param root folder that include paths are relative to (`shaders/`)
 * @param read how a file is read; injectable for tests
 * @returns the linked text, and the files it was made from
 * @throws Error naming the including file and line when a file is missing or includes itself; ShaderLinkError when a piece
 *   lacks what it needs
 */
export function linkShader(
  file: string,
  root: string,
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): { text: string; files: string[] } {
  const { parts, files } = partsOf(file, root, read);
  return { text: parts.map(({ text }) => text).join('\n'), files };
}

/** Drops comments, indentation and blank lines: what ships does not carry what only a reader needs. Marks stay. */
export function stripShader(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => (/^\/\/!(?!needs|gives)/.test(line) ? line : line.replace(/\/\/.*$/, '')).trim())
    .filter((line) => line !== '')
    .join('\n');
}

/** What test/run.js starts a process with that works by way of a link: those that it starts need it too. */
export function linkFlags(): string[] {
  return process.execArgv.filter((flag) => flag.startsWith('--preserve-symlinks'));
}

/** What the parts of a piece are imported by, with its path below this folder: no path of a disk, which may have any name. */
const PARTS = 'wgsl-parts:/shaders/';

/**
 * Vite plugin: `import source from './x.wgsl'` gives the linked text.
 * @param options.share for what ships: texts are stripped, and pieces of `shaders/lib` are modules of their own, put together
 *   when a shader is loaded, so that a page downloads each of them once
 */
export function wgsl(options: { share?: boolean } = {}): Plugin {
  const root = dirname(fileURLToPath(import.meta.url));
  const readText = (path: string) => readFileSync(path, 'utf8');
  return {
    name: 'wgsl',
    enforce: 'pre',
    // Vite goes by way of a link where Node does.
    config: () => ({ resolve: { preserveSymlinks: linkFlags().length > 0 } }),
    resolveId: (id) => (id.startsWith(PARTS) ? { id: `\0${id}`, moduleSideEffects: false } : null),
    load(id) {
      if (id.startsWith(`\0${PARTS}`)) {
        const { between } = split(readText(join(root, id.slice(PARTS.length + 1))));
        // Minifiers would put a string wherever it is used; a list of one, which reads as what is in it, they leave alone.
        return between
          .map((lines, at) => `export const part${at} = [${literal(lines.join('\n'))}];`)
          .join('\n');
      }
      if (!id.endsWith('.wgsl')) return null;
      const { parts, files } = partsOf(id, root, readText);
      for (const file of files) this.addWatchFile(file);
      if (!options.share) {
        return `export default ${JSON.stringify(parts.map(({ text }) => text).join('\n'))};`;
      }
      const imports: string[] = [];
      const terms = parts.map(({ file, at, text }) => {
        if (file === undefined || !file.startsWith(join(root, 'lib'))) return literal(text);
        if (stripShader(text) === '') return '';
        imports.push(
          `import { part${at} as p${imports.length} } from ${JSON.stringify(`${PARTS}${relative(root, file).replaceAll('\\', '/')}`)};`,
        );
        return `p${imports.length - 1}`;
      });
      const list = terms.filter((term) => term !== '').join(', ');
      return `${imports.join('\n')}\nexport default /* @__PURE__ */ [${list}].join('');`;
    },
  };
}

/** A stripped text as JavaScript, whole lines; nothing where nothing is left. */
function literal(text: string): string {
  const stripped = stripShader(text);
  return stripped === '' ? '' : JSON.stringify(`${stripped}\n`);
}
