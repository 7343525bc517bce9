/** Modules of a person's own, by path, and packages by name: methods, sources, models. Importing one runs it. */
import { existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BnnError, OptionError, StorageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { nearest } from '../options.ts';

/** How entries begin that name packages. */
export const PACKAGE = 'npm:';

/**
 * What a JavaScript module exports.
 * @param given path of a file; or `npm:NAME`, a package that is installed where one is
 * @param where the option that names it, for errors
 * @throws StorageError where there is no such file; OptionError for one that fails when it runs; the library's errors as they are
 */
export async function loadModule(given: string, where: string): Promise<Readonly<Record<string, unknown>>> {
  const path = given.startsWith(PACKAGE) ? installedPackage(given.slice(PACKAGE.length), where).main : given;
  const isFile = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!isFile) {
    throw new StorageError('There is no such module.', {
      given: path,
      expected: 'a file of JavaScript (.js, .mjs)',
      where,
      remedy: 'check the path',
    });
  }
  try {
    return (await import(/* @vite-ignore */ pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (cause) {
    if (isLibraryError(cause)) throw cause;
    const { name, message } = cause instanceof Error ? cause : { name: 'thrown', message: String(cause) };
    const isCommonJs =
      name === 'SyntaxError' && /^(Cannot use import statement|Unexpected token 'export')/.test(message);
    const meant = await meantExport(cause, path);
    throw new OptionError('The module fails when it is loaded.', {
      given: `${name}: ${message}`,
      where: `${where} ${path}`,
      remedy:
        isCommonJs && !/\.mjs$/i.test(path)
          ? 'name it .mjs, or have "type": "module" in package.json: it is read as CommonJS'
          : meant === undefined
            ? `run it alone to see where: node ${path}`
            : `did you mean ${meant}?`,
      cause,
    });
  }
}

/** Of an import of what a module doesn't export the name that it does, where one is near. */
async function meantExport(cause: unknown, path: string): Promise<string | undefined> {
  const { message, stack = '' } = cause instanceof Error ? cause : { message: '' };
  const [, from, name] = /module '(.+)' does not provide an export named '(.+)'/.exec(message) ?? [];
  if (from === undefined || name === undefined) return undefined;
  // The stack begins with the file that imports it, which may be one that the module imports.
  const [, importer = resolve(path)] = /^(file:.+):\d+$/m.exec(stack) ?? [];
  try {
    const isUrl = /^(file|node|data):/.test(from);
    const url = isUrl ? from : pathToFileURL(createRequire(importer).resolve(from)).href;
    const exported = (await import(/* @vite-ignore */ url)) as Record<string, unknown>;
    return nearest(name, Object.keys(exported));
  } catch {
    return undefined;
  }
}

/**
 * A package that is installed in the folder that one is in, or above.
 * @throws StorageError with the command that installs it
 */
export function installedPackage(
  name: string,
  where: string,
): { readonly version: string; readonly main: string } {
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    const home = join(folder, 'node_modules', name);
    if (existsSync(join(home, 'package.json'))) {
      const about = parseJson(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
      return { version: String(about.version), main: mainOf(about, home, name) };
    }
    if (folder === dirname(folder)) break;
  }
  throw new StorageError('There is no such package here.', {
    given: name,
    expected: `node_modules/${name} in this folder, or above`,
    where,
    remedy: `npm install ${name}`,
  });
}

interface Manifest {
  readonly version?: unknown;
  readonly exports?: unknown;
}

/** The file that `import` takes. */
function mainOf({ exports }: Manifest, home: string, name: string): string {
  let found = exports;
  for (const step of ['.', 'node', 'import', 'default']) {
    if (typeof found === 'object' && found !== null && step in found) {
      found = (found as Record<string, unknown>)[step];
    }
  }
  return typeof found === 'string' ? join(home, found) : createRequire(join(home, '..')).resolve(name);
}

/** Errors of this library, also of another copy of it, which a module may import. */
export function isLibraryError(error: unknown): error is BnnError {
  return error instanceof BnnError || (error instanceof Error && 'what' in error && 'remedy' in error);
}
