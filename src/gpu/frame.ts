/**
 * Frames: kernels with holes, into which a method's own WGSL goes when it is used. A frame's text is whole on disk, with a
 * method of this library in each hole; here another one takes its place, ours or a guest's, by the same way.
 */
import { OptionError } from '../errors.ts';
import type { Access, Fillings, KernelSpec } from './kernel.ts';

/** A frame with its holes filled by methods: a kernel of its own, compiled and kept like any other. */
export function fillFrame<B extends Readonly<Record<string, Access>>, C extends string>(
  frame: KernelSpec<B, C>,
  fillings: Fillings,
): KernelSpec<B> {
  const methods = Object.values(fillings);
  return {
    ...(frame as unknown as KernelSpec<B>),
    name: `${frame.name} (${methods.map(({ name }) => name).join(', ')})`,
    filled: {
      frame: frame.name,
      fillings,
      needsLibrary: methods.some(({ wgsl }) => wgsl.search(INCLUDE) >= 0),
      textIn: (text, pieceOf) => filledText(text, fillings, pieceOf),
      methodAt: (text, line) => methodAt(text, line, fillings),
    },
    constants: [...frame.constants, ...Object.keys(constantsOf(fillings))],
  };
}

/** The constants of all fillings, by the names that they have in the filled frame. */
export function constantsOf(fillings: Fillings): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(fillings).flatMap(([hole, { constants = {} }]) =>
      Object.entries(constants).map(([name, value]) => [inFrame(name, hole), value] as const),
    ),
  );
}

/** What a method declares for itself has a name of its own in the frame: two methods may well have chosen the same. */
function inFrame(name: string, hole: string): string {
  return `${name}_of_${hole}`;
}

/** WGSL as compilers see it. */
export function withoutComments(wgsl: string): string {
  return wgsl.replace(/\/\/.*$/gm, '');
}

const DECLARATION = /^\s*(?:fn|const|override|struct|alias|var(?:<[^>]*>)?)\s+(\w+)/gm;

/** A method's text with the names in it that nobody else knows made its own. */
function renamed(wgsl: string, hole: string, provides: readonly string[]): string {
  const bare = withoutComments(wgsl).replaceAll(/[;}]/g, '$&\n');
  const own = [...bare.matchAll(DECLARATION)]
    .map((match) => match[1] ?? '')
    .filter((name) => !provides.includes(name));
  // Not what follows a dot: members and components of vectors.
  return own.reduce(
    (text, name) => text.replace(new RegExp(`(?<![.\\w])${name}\\b`, 'g'), () => inFrame(name, hole)),
    wgsl,
  );
}

const INCLUDE = /^\s*\/\/!include\s+"([^"]+)"\s*$/gm;

/**
 * The text of a frame with its holes filled.
 * @param text the frame's, linked, with the marks of its holes
 * @param pieceOf gives the linked text of a piece of `shaders/lib` by its path
 * @throws OptionError where a filling includes a piece that there is not, or the frame has no such hole
 */
function filledText(text: string, fillings: Fillings, pieceOf: (path: string) => string | undefined): string {
  const has = new Set([...text.matchAll(/^\/\/!has "([^"]+)"$/gm)].map((match) => match[1] ?? ''));
  let filled = text;
  for (const [hole, { name, wgsl, provides }] of Object.entries(fillings)) {
    const begin = `//!begin ${hole}\n`;
    const end = `//!end ${hole}`;
    const [from, to] = [filled.indexOf(begin), filled.indexOf(end)];
    if (from < 0 || to < from)
      throw new OptionError('This kernel has no such hole.', { given: hole, where: name });
    // Pieces go in front of the mark, so that lines below it are the method's own, counted as its author counts them.
    const pieces: string[] = [];
    const own = renamed(wgsl, hole, provides).replace(INCLUDE, (_line, path: string) => {
      if (has.has(path)) return '';
      has.add(path);
      const piece = pieceOf(path);
      if (piece === undefined) {
        throw new OptionError('A method includes a piece that there is not.', {
          given: path,
          where: `the WGSL of ${name}`,
          remedy: 'see the pieces of shaders/lib that the documentation of methods lists',
        });
      }
      pieces.push(piece);
      return '';
    });
    filled = `${filled.slice(0, from)}${pieces.join('\n')}${pieces.length > 0 ? '\n' : ''}${begin}${own}\n${filled.slice(to)}`;
  }
  return filled;
}

/** Where a line of a filled text, from 1, stands for whom wrote it: the method and its own line; undefined elsewhere. */
function methodAt(
  text: string,
  line: number,
  fillings: Fillings,
): { readonly name: string; readonly line: number } | undefined {
  const lines = text.split('\n').slice(0, line - 1);
  for (let at = lines.length - 1; at >= 0; at--) {
    const [, mark, hole = ''] = /^\/\/!(begin|end) (\w+)$/.exec(lines[at] ?? '') ?? [];
    if (mark === 'end') return undefined;
    const filling = mark === 'begin' ? fillings[hole] : undefined;
    if (filling !== undefined) return { name: filling.name, line: line - 1 - at };
  }
  return undefined;
}

/**
 * Checks that a method's WGSL has the function that its hole is for.
 * @param signature as it must be, with any names of the arguments: `fn gradient(x: f32) -> f32`
 * @throws OptionError naming the object, the member and what was expected
 */
export function assertSignature(wgsl: string, signature: string, where: string): void {
  const parse = (text: string) => {
    const [, name, list = '', result = ''] =
      /fn\s+(\w+)\s*\(([^)]*)\)\s*(?:->\s*([\w<>, ]+?))?\s*(?:\{|$)/.exec(text) ?? [];
    const types = list
      .split(/,(?![^<]*>)/)
      .map((one) => one.split(':').slice(1).join(':').replace(/\s/g, ''));
    return { name, shape: `${types.filter((type) => type !== '').join()} -> ${result.replace(/\s/g, '')}` };
  };
  const wanted = parse(signature);
  const bare = withoutComments(wgsl);
  const at = bare.search(new RegExp(`fn\\s+${wanted.name}\\s*\\(`));
  const found = at < 0 ? undefined : parse(bare.slice(at));
  if (found?.shape === wanted.shape) return;
  throw new OptionError("A method's WGSL lacks the function that it is for.", {
    given: found === undefined ? `no function ${wanted.name}` : bare.slice(at, bare.indexOf('{', at)).trim(),
    expected: signature,
    where,
  });
}
