/** Modules of a person's own, by path: methods, sources, models. Importing one runs it. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BnnError, OptionError, StorageError } from '../errors.ts';

/**
 * What a JavaScript module exports.
 * @param where the option that names it, for errors
 * @throws StorageError where there is no such file; OptionError for one that fails when it runs; the library's errors as they are
 */
export async function loadModule(path: string, where: string): Promise<Readonly<Record<string, unknown>>> {
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
    throw new OptionError('The module fails when it is loaded.', {
      given: `${name}: ${message}`,
      where: `${where} ${path}`,
      remedy: `run it alone to see where: node ${path}`,
      cause,
    });
  }
}

/** Errors of this library, also of another copy of it, which a module may import. */
export function isLibraryError(error: unknown): error is BnnError {
  return error instanceof BnnError || (error instanceof Error && 'what' in error && 'remedy' in error);
}
