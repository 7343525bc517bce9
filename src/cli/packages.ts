/** Methods of packages in jobs: a job names them by name and version, and a worker imports what it was told to allow. */
import { Option } from 'commander';
import type { Guests } from '../compare/index.ts';
import { OptionError, QueueError } from '../errors.ts';
import type { Packages } from '../nats/index.ts';
import { installedPackage, loadModule, PACKAGE } from '../node/modules.ts';

/** Versions of the packages that entries name. @throws OptionError for a module that is none of a package */
export function packagesOf(modules: readonly string[]): Packages {
  const own = modules.filter((module) => !module.startsWith(PACKAGE));
  if (own.length > 0) {
    throw new OptionError('Workers take methods by their names, and no code.', {
      given: own.join(', '),
      expected: `names of methods, or ${PACKAGE}NAME of packages that workers allow`,
      where: '--methods',
      remedy: 'compare methods of your own in one process: without --nats',
    });
  }
  const names = modules.map((module) => module.slice(PACKAGE.length));
  return Object.fromEntries(names.map((name) => [name, installedPackage(name, '--methods').version]));
}

/**
 * Imports the packages that a job names.
 * @param allowed as NAME@VERSION
 * @throws QueueError for one that isn't allowed, or is here in another version
 */
export async function guestsOf(packages: Packages, allowed: readonly string[]): Promise<Guests> {
  const guests = new Map<string, Readonly<Record<string, unknown>>>();
  for (const [name, version] of Object.entries(packages)) {
    const wanted = `${name}@${version}`;
    const isAllowed = allowed.includes(wanted);
    const here = isAllowed ? installedPackage(name, '--allow-code').version : undefined;
    if (here !== version) {
      throw new QueueError('A job is about methods of a package that this worker does not run.', {
        given: here === undefined ? allowed.join(', ') || 'no --allow-code' : `${name}@${here}`,
        expected: wanted,
        where: 'worker',
        remedy: `if you trust it: npm install ${wanted}, and start the worker with --allow-code ${wanted}`,
      });
    }
    guests.set(`${PACKAGE}${name}`, await loadModule(`${PACKAGE}${name}`, '--allow-code'));
  }
  return guests;
}

/** `--allow-code`, as often as there are packages. */
export const allowCodeOption = () =>
  new Option(
    '--allow-code <package...>',
    'packages whose methods jobs may name, as NAME@VERSION: installed here, and run as they are',
  ).default([]);
