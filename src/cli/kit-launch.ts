/**
 * What the kit's `run.sh` starts: it unpacks the program once, sees to a Vulkan loader, and runs the command line.
 * It is the one file of the kit that isn't packed, so it imports little.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { extract } from 'tar';

const kit = dirname(fileURLToPath(import.meta.url));
const [, , unpacked = join(kit, 'unpacked'), ...rest] = process.argv;
const app = join(unpacked, 'app');
if (!existsSync(app)) await unpack();
process.env.WEBGPU_BNN_CACHE ??= join(unpacked, 'cache');
if (!load('libvulkan.so.1')) load(join(app, 'libvulkan.so.1'));

const program = join(app, 'cli.mjs');
process.argv = [process.argv[0] ?? 'node', program, ...rest];
await import(pathToFileURL(program).href);

/** A half-done unpacking is never seen. */
async function unpack(): Promise<void> {
  mkdirSync(unpacked, { recursive: true });
  const partial = mkdtempSync(join(unpacked, 'partial-'));
  try {
    await pipeline(
      Readable.from([readFileSync(join(kit, 'app.tar.br'))]),
      createBrotliDecompress(),
      extract({ cwd: partial, strict: true }),
    );
    renameSync(partial, app);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    // Another process may have been faster; its copy is as good.
    if (!existsSync(app)) throw cause;
  }
}

/** Loads a library for all, to stay: Dawn asks for it by its name later. Node complains that it is no addon of its own. */
function load(path: string): boolean {
  const RTLD_NOW_GLOBAL_NODELETE = 0x2 | 0x100 | 0x1000;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW_GLOBAL_NODELETE);
    return true;
  } catch (cause) {
    return cause instanceof Error && cause.message.includes('did not self-register');
  }
}
