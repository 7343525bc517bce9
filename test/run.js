/**
 * Runs vitest, by way of a link where this folder's path has a `#`, a `?` or a `%`: Vite and vitest take a path for an address, in
 * which these mean something else.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..');
const isAddress = /[#?%]/.test(folder);
const root = isAddress ? linkTo(folder) : folder;
// vite.config.ts looks for them too.
const flags = isAddress ? ['--preserve-symlinks', '--preserve-symlinks-main'] : [];
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
// The folder that one is in is known by its own path, whatever link led there: so it is named.
const args = [...process.argv.slice(2), ...(isAddress ? ['--root', root] : [])];
const { status } = spawnSync(process.execPath, [...flags, vitest, ...args], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);

function linkTo(target) {
  const name = createHash('sha256').update(target).digest('hex').slice(0, 16);
  const link = join(realpathSync(tmpdir()), `webgpu-bnn-tests-${name}`);
  try {
    symlinkSync(target, link, 'junction');
  } catch (cause) {
    // It is there from another run.
    if (realpathSync(link) !== realpathSync(target)) throw cause;
  }
  return link;
}
