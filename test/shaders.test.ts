/**
 * Shaders and their specifications, side by side: every WGSL file on disk has one specification, which says what
 * reflection reads in it; and the linker that resolves their includes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import { linkShader, ShaderLinkError, stripShader, wgsl } from '../shaders/link.ts';
import type { Shaders } from '../src/gpu/index.ts';
import { loadShader } from '../src/gpu/kernel.ts';
import { SPECIFICATIONS } from './helpers/specifications.ts';

const ROOT = resolve(import.meta.dirname, '..', 'shaders');
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.wgsl'));
const libraries = files.filter((path) => path.startsWith('lib/'));
/** Functions that fill frames: each is linked, and run, where the tests loop over methods. */
const methods = files.filter((path) => path.startsWith('methods/'));
const shaders = files.filter((path) => !path.startsWith('lib/') && !path.startsWith('methods/'));

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const linked = (path: string) => linkShader(join(ROOT, path), ROOT).text;

function includesOf(path: string): string[] {
  return [...textOf(path).matchAll(/^\s*\/\/!(?:include|hole \w+)\s+"([^"]+)"\s*$/gm)].map(
    (match) => match[1] ?? '',
  );
}

const kernels = await Promise.all(
  SPECIFICATIONS.map(async (kernel) => ({ ...kernel, source: await loadShader(kernel) })),
);

/** Overrides of a module that have a default, which a specification need not name. */
function defaultsIn(source: string): string[] {
  return [...stripShader(source).matchAll(/\boverride\s+(\w+)\s*(?::[^=;]+)?=/g)].map(
    (match) => match[1] ?? '',
  );
}

/**
 * Reflects a shader; the parser takes the name `block`, which WGSL leaves free, for a keyword, and doesn't know the types of
 * matrix units, which shaders name by an alias.
 * @throws Error that blames the parser, with the linked line: it does not know all of WGSL, so Tint may well be content
 */
function reflect(name: string, source: string): WgslReflect {
  try {
    const known = source
      .replace(/\bblock\b/g, 'block_')
      .replace(/^(alias \w+ =) subgroup_matrix_\w+<[^;]*>;/gm, '$1 u32;')
      .replace(/\b(subgroupMatrix\w+)<[^>]*>\(/g, '$1(');
    return new WgslReflect(known);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const line = Number(/Line: (\d+)/.exec(message)?.[1]);
    const text = source.split('\n')[line - 1]?.trim() ?? 'a line it does not name';
    throw new Error(`wgsl_reflect can't parse ${name}: ${message} (${text})`, { cause });
  }
}

/** What a file declares at module scope. */
function declarationsIn(path: string): string[] {
  const kinds = /^(?:@[^\n]*\)\s*)?(?:fn|const|override|struct|alias|var(?:<[^>]*>)?)\s+(\w+)/gm;
  return [...stripShader(textOf(path)).matchAll(kinds)].map((match) => match[1] ?? '');
}

describe('shaders and specifications', () => {
  test('every shader has exactly one specification, named by its path', () => {
    const named = kernels.filter(({ shader }) => shader === undefined);
    expect(named.map(({ name }) => `${name}.wgsl`).sort()).toEqual([...shaders].sort());
  });

  test('kernels of one shader differ in constants that it has defaults for', () => {
    for (const { name, shader, fixed = {}, source } of kernels) {
      if (shader === undefined) continue;
      expect(kernels.filter((other) => other.name === shader && other.shader === undefined)).toHaveLength(1);
      expect(Object.keys(fixed), name).not.toEqual([]);
      expect(Object.keys(fixed).filter((constant) => !defaultsIn(source).includes(constant))).toEqual([]);
    }
  });

  test('every specification holds the shader that it is named by', () => {
    const wrong = kernels.filter(({ name, shader, source }) => source !== linked(`${shader ?? name}.wgsl`));
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test('every shader is in exactly one family', () => {
    const families = import.meta.glob<Shaders>(['../shaders/*.ts', '!../shaders/{library,tfjs}.ts'], {
      eager: true,
      import: 'default',
    });
    const members = Object.values(families).flatMap((shaders) => Object.keys(shaders ?? {}));
    expect(members.sort()).toEqual(shaders.map((path) => `./${path}`).sort());
  });

  test('only files of lib/ are included, and every one of them is; holes are filled by methods', () => {
    const included = [...new Set(files.flatMap(includesOf))];
    expect(included.filter((path) => !methods.includes(path)).sort()).toEqual([...libraries].sort());
  });
});

describe.each(kernels)('$name', (kernel) => {
  test('has the bindings of its specification, in order, and no more than any device takes', () => {
    const { storage, uniforms, textures, samplers } = reflect(kernel.name, kernel.source);
    const found = storage
      .map(({ name, group, binding, access }) => ({ name, group, binding, access }))
      .sort((a, b) => a.binding - b.binding);
    const specified = Object.entries(kernel.bindings).map(([name, access], binding) => ({
      name: snakeCase(name),
      group: 0,
      binding,
      access: access === 'read' ? 'read' : 'read_write',
    }));
    expect(found).toEqual(specified);
    expect(found.length).toBeLessThanOrEqual(8);
    expect([...uniforms, ...textures, ...samplers]).toEqual([]);
  });

  test('has the constants of its specification', () => {
    // What a method in a hole declares comes with it.
    const filled = [...kernel.source.matchAll(/\/\/!begin (\w+)\n([\s\S]*?)\/\/!end \1/g)].flatMap(([text]) =>
      [...text.matchAll(/\boverride\s+(\w+)/g)].map((match) => match[1] ?? ''),
    );
    const defaults = [...defaultsIn(kernel.source), ...filled];
    const { overrides } = reflect(kernel.name, kernel.source);
    const needed = overrides.map(({ name }) => name).filter((name) => !defaults.includes(name));
    expect(needed.sort()).toEqual([...kernel.constants].sort());
    expect(needed.filter((name) => !/^[A-Z][A-Z0-9_]*$/.test(name))).toEqual([]);
  });

  test('starts at the first row of a part, where its dispatches are done in parts', () => {
    const finds = { line: 'linear_index', rows: 'tile_row' } as const;
    const used = kernel.splits === undefined ? [] : [finds[kernel.splits]];
    expect(used.filter((name) => !new RegExp(`(?<!fn )\\b${name}\\(`).test(kernel.source))).toEqual([]);
  });

  test('has one entry point, `main`, of at most 256 invocations', () => {
    const { compute, vertex, fragment } = reflect(kernel.name, kernel.source).entry;
    expect([...compute, ...vertex, ...fragment].map(({ name }) => name)).toEqual(['main']);
    const invocations = (compute[0]?.workgroupSize ?? [0]).reduce((product, extent) => product * extent, 1);
    expect(invocations).toBeGreaterThan(0);
    expect(invocations).toBeLessThanOrEqual(256);
  });

  test('uses every file that it includes', () => {
    const parts = linkShader(join(ROOT, `${kernel.shader ?? kernel.name}.wgsl`), ROOT).files;
    const texts = new Map(parts.map((path) => [path, stripShader(readFileSync(path, 'utf8'))]));
    const unused = parts.slice(1).filter((path) => {
      const others = parts.filter((part) => part !== path).map((part) => texts.get(part));
      const names = declarationsIn(path.slice(ROOT.length + 1));
      const isUsed = names.some((name) => name === 'main' || others.some((text) => mentions(text, name)));
      return !isUsed;
    });
    expect(unused).toEqual([]);
  });
});

/** Bindings are camelCase to TypeScript and snake_case to WGSL, as either language has it. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function mentions(text: string | undefined, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(text ?? '');
}

test('a shader that the parser of these tests does not know is reported as that', () => {
  const source = '@compute @workgroup_size(64) fn main() {\n  var a: subgroup_matrix_left<f32, 8, 8>;\n}';
  expect(() => reflect('gemm/new', source)).toThrow(
    /^wgsl_reflect can't parse gemm\/new: .*\(var a: subgroup_matrix_left<f32, 8, 8>;\)$/,
  );
});

describe('the linker', () => {
  const link = (tree: Readonly<Record<string, string>>) =>
    linkShader('/s/main.wgsl', '/s', (path) => {
      const text = tree[path.slice('/s/'.length)];
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    });

  test('puts a file in place of its include line, and reports the files it read', () => {
    const tree = { 'main.wgsl': 'a\n  //!include "lib/x.wgsl"  \nb', 'lib/x.wgsl': 'x' };
    expect(link(tree)).toEqual({ text: 'a\nx\nb', files: ['/s/main.wgsl', '/s/lib/x.wgsl'] });
  });

  test('resolves includes of included files against the root, and takes a file once', () => {
    const tree = {
      'main.wgsl': '//!include "lib/deep/x.wgsl"\n//!include "lib/y.wgsl"\nmain',
      'lib/deep/x.wgsl': '//!include "lib/y.wgsl"\nx',
      'lib/y.wgsl': 'y',
    };
    expect(link(tree).text).toBe('y\nx\n\nmain');
  });

  test('leaves comments and strings that only look like includes', () => {
    const text = '// see //!include "lib/x.wgsl"\n//!include lib/x.wgsl\nlet a = 1; //!include "lib/x.wgsl"';
    expect(link({ 'main.wgsl': text }).text).toBe(text);
  });

  test('refuses a file that includes itself, at any distance, and names the way', () => {
    const tree = {
      'main.wgsl': '//!include "a.wgsl"',
      'a.wgsl': '//!include "b.wgsl"',
      'b.wgsl': '//!include "a.wgsl"',
    };
    expect(() => link(tree)).toThrow(
      'shader include cycle: /s/main.wgsl -> /s/a.wgsl -> /s/b.wgsl -> /s/a.wgsl',
    );
    expect(() => link({ 'main.wgsl': '//!include "main.wgsl"' })).toThrow('shader include cycle');
  });

  test('names the file and line of an include that is missing', () => {
    const tree = { 'main.wgsl': '//!include "lib/x.wgsl"', 'lib/x.wgsl': 'x\n\n//!include "lib/none.wgsl"' };
    expect(() => link(tree)).toThrow('shader include "lib/none.wgsl" not found (/s/lib/x.wgsl:3)');
  });

  test('refuses a shader that lacks what a piece of it needs, and names both', () => {
    const piece = '//!needs first, COUNT\nfn f() -> u32 { return first() + COUNT; }';
    const tree = { 'main.wgsl': '//!include "lib/x.wgsl"\nfn first() -> u32 {', 'lib/x.wgsl': piece };
    expect(() => link(tree)).toThrow(ShaderLinkError);
    expect(() => link(tree)).toThrow(
      'shader piece /s/lib/x.wgsl needs COUNT, which nothing in /s/main.wgsl declares',
    );
    const whole = { ...tree, 'main.wgsl': `${tree['main.wgsl']}\noverride COUNT: u32;` };
    expect(stripShader(link(whole).text)).not.toContain('needs');
  });

  test('refuses a piece that gives what it does not declare, and whoever needs what a piece keeps to itself', () => {
    const main = '//!include "lib/x.wgsl"\n//!include "lib/y.wgsl"';
    const piece = '//!gives f, g\nfn f() -> u32 { return own(); }\nfn own() -> u32 { return 1u; }';
    const tree = { 'main.wgsl': main, 'lib/x.wgsl': piece, 'lib/y.wgsl': '//!needs f' };
    expect(() => link(tree)).toThrow('shader piece /s/lib/x.wgsl gives g, which it does not declare');
    const whole = { ...tree, 'lib/x.wgsl': piece.replace(', g', '') };
    expect(stripShader(link(whole).text)).not.toContain('gives');
    expect(() => link({ ...whole, 'lib/y.wgsl': '//!needs own' })).toThrow(ShaderLinkError);
  });

  test('names of pieces that others use are given by them', () => {
    const top = /^(?:@\w+(?:\([^)]*\))?\s*)*(?:fn|const|override|struct|alias|var(?:<[^>]*>)?)\s+(\w+)/gm;
    const codeOf = (path: string) => textOf(path).replace(/\/\/.*$/gm, '');
    const secretOf = (path: string) => {
      const given = [...textOf(path).matchAll(/^\/\/!gives (.+)$/gm)].flatMap(([, names = '']) =>
        names.split(', '),
      );
      const names = [...codeOf(path).matchAll(top)].map(([, name = '']) => name);
      return names.filter((name) => name !== 'main' && !given.includes(name));
    };
    const secrets = new Map(libraries.map((path) => [path, secretOf(path)]));
    const told: string[] = [];
    for (const shader of shaders) {
      const reached = new Set([shader]);
      for (const file of reached) for (const next of includesOf(file)) reached.add(next);
      for (const piece of reached) {
        for (const name of secrets.get(piece) ?? []) {
          const used = new RegExp(`(?<![.\\w])${name}\\b`);
          const user = [...reached].find((file) => file !== piece && used.test(codeOf(file)));
          if (user !== undefined) told.push(`${user} uses ${name} of ${piece}`);
        }
      }
    }
    expect([...secrets.values()].flat().length).toBeGreaterThan(50);
    expect(told).toEqual([]);
  });

  test('files are named in one way', () => {
    expect(files.filter((path) => !/^[a-z0-9_/]+\.wgsl$/.test(path))).toEqual([]);
  });

  test('pieces say all that they need of who takes them in, and nothing else', () => {
    const needsOf = (path: string) =>
      [...textOf(path).matchAll(/^\/\/!needs (.+)$/gm)].flatMap(([, names = '']) => names.split(', '));
    const within = (path: string): Set<string> => {
      const reached = new Set([path]);
      for (const file of reached) for (const next of includesOf(file)) reached.add(next);
      return reached;
    };
    const free = new Map<string, Set<string>>(libraries.map((path) => [path, new Set()]));
    for (const { name, shader } of kernels) {
      const parts = [...within(`${shader ?? name}.wgsl`)];
      for (const path of parts.filter((part) => free.has(part))) {
        const own = within(path);
        const text = stripShader(textOf(path));
        const others = parts.filter((part) => !own.has(part)).flatMap(declarationsIn);
        const mine = new Set([...own].flatMap(declarationsIn));
        for (const other of others) {
          // A local of this name is no need.
          const isLocal = new RegExp(`\\b(let|var)\\s+${other}\\b|[(,]\\s*${other}\\s*:`).test(text);
          const isUsed = new RegExp(`(?<![.\\w])${other}\\b`).test(text.replace(/^\/\/.*$/gm, ''));
          if (isUsed && !isLocal && !mine.has(other)) free.get(path)?.add(other);
        }
      }
    }
    const said = libraries.map((path) => [path, needsOf(path).sort()]);
    expect(said).toEqual(libraries.map((path) => [path, [...(free.get(path) ?? [])].sort()]));
  });

  test('what ships is the same text, stripped, put together of pieces that are modules of their own', () => {
    const { load } = wgsl({ share: true }) as { load(this: unknown, id: string): string };
    const module = (id: string): Record<string, unknown> => {
      const code = load.call({ addWatchFile: () => undefined }, id);
      const imported: Record<string, unknown> = {};
      const body = code
        .replace(/import \{ (\w+) as (\w+) \} from ("[^"]+");/g, (_, name, local, from) => {
          imported[local] = module(`\0${JSON.parse(from)}`)[name];
          return '';
        })
        .replace(/export (?:default|const (\w+) =) /g, (_, name = 'text') => `exports.${name} = `);
      const exports: Record<string, unknown> = {};
      new Function('exports', ...Object.keys(imported), body)(exports, ...Object.values(imported));
      return exports;
    };
    for (const { name, shader } of kernels) {
      const path = join(ROOT, `${shader ?? name}.wgsl`);
      expect(`${module(path).text}`.trimEnd(), name).toBe(stripShader(linkShader(path, ROOT).text));
    }
  });

  test('strips comments, indentation and blank lines, and nothing else', () => {
    const text = '/* one\n two */\nfn f() { // why\n\n    let x = 6 / 2; /* here */ let y = x;\n}\n';
    expect(stripShader(text)).toBe('fn f() {\nlet x = 6 / 2;  let y = x;\n}');
  });

  test('a stripped shader reflects like the shader it was made from', () => {
    const shape = (name: string, text: string) => {
      const { storage, overrides, entry } = reflect(name, text);
      return {
        bindings: storage.map(({ name, binding, access }) => [name, binding, access]),
        overrides: overrides.map(({ name }) => name),
        size: entry.compute.map(({ name, workgroupSize }) => [name, workgroupSize]),
      };
    };
    for (const { name, source } of kernels)
      expect(shape(name, stripShader(source)), name).toEqual(shape(name, source));
  });
});
