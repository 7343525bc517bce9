/**
 * Packages that headless work needs and a page does not: they are optional peers, so that installing this package takes
 * nothing but itself. Each is looked for beside this package first, and then in the cache, where `webgpu-bnn setup` may have
 * put it.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { npx } from '../npx.ts';
import { cacheFolder } from './cache.ts';

export type HeadlessPackage =
  | 'webgpu'
  | '@sparticuz/chromium'
  | 'puppeteer-core'
  | 'esbuild'
  | '@nats-io/transport-node'
  | '@nats-io/jetstream'
  | '@nats-io/kv'
  | '@nats-io/obj';

/** What gets everything that is missing. */
export const SETUP = /* @__PURE__ */ npx('setup');

/** Where the cache keeps packages. */
export const packagesFolder = (): string => join(cacheFolder(), 'packages');

/** Imports for this library, from within the folder of packages: what `import` finds depends on where it stands. */
const LOADER = 'load.mjs';

/** Makes the folder of packages a place that a package manager can install into. @returns it */
export function makePackagesFolder(): string {
  const folder = packagesFolder();
  mkdirSync(folder, { recursive: true });
  const files = {
    'package.json': '{ "private": true, "description": "What webgpu-bnn setup installed." }\n',
    [LOADER]: 'export const load = (name) => import(name);\n',
  };
  for (const [name, text] of Object.entries(files)) {
    if (!existsSync(join(folder, name))) writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** The main file of a package as `from` sees it. */
function resolveFrom(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
}

const inCache = (name: string) => resolveFrom(join(packagesFolder(), LOADER), name);

/** The folder of a package; undefined where it isn't installed. */
export function folderOf(name: HeadlessPackage): string | undefined {
  const main = resolveFrom(import.meta.url, name) ?? inCache(name);
  if (main === undefined) return undefined;
  const inside = `${sep}${join(...name.split('/'))}${sep}`;
  return main.slice(0, main.lastIndexOf(inside) + inside.length - 1);
}

/** What a package exports; undefined where it isn't installed. @throws whatever it throws when it is loaded */
export async function importHeadless<Module>(name: HeadlessPackage): Promise<Module | undefined> {
  // Names in variables, since a bundler must leave packages alone that a user may not have.
  if (resolveFrom(import.meta.url, name) !== undefined) {
    return (await import(/* @vite-ignore */ name)) as Module;
  }
  if (inCache(name) === undefined) return undefined;
  const loader = pathToFileURL(join(packagesFolder(), LOADER)).href;
  const { load } = (await import(/* @vite-ignore */ loader)) as { load(name: string): Promise<Module> };
  return load(name);
}
