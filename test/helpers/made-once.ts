/** What tests make once of the same sources, for all that run them: it stays in `node_modules/.cache`. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const DAY = 86_400_000;

/**
 * Makes a file or a folder, unless it was made of these sources before.
 * @param name how its name begins; a digest of the sources follows
 * @param ending how its name ends
 * @param sources files and folders of the repository that it follows from
 * @param make writes it to the path that it is handed
 * @returns its path; it lies below `node_modules`, so that imports resolve as an installed package's do
 */
export async function madeOnce(
  name: string,
  ending: string,
  sources: readonly string[],
  make: (path: string) => Promise<void>,
): Promise<string> {
  const cache = join(ROOT, 'node_modules', '.cache');
  const path = join(cache, `${name}${digestOf(sources)}${ending}`);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const own = `${path}-${process.pid}`;
  await make(own);
  try {
    renameSync(own, path);
  } catch (cause) {
    rmSync(own, { recursive: true, force: true });
    // Another process was faster.
    if (!existsSync(path)) throw cause;
  }
  // One of other sources may be in use.
  const isOld = (file: string) =>
    Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > DAY;
  for (const other of readdirSync(cache)) {
    const isMade = other.startsWith(name) && /^[0-9a-f]{16}/.test(other.slice(name.length));
    if (isMade && isOld(join(cache, other))) rmSync(join(cache, other), { recursive: true, force: true });
  }
  return path;
}

function digestOf(sources: readonly string[]): string {
  const hash = createHash('sha256');
  for (const name of sources) {
    const path = join(ROOT, name);
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .sort()
      : [path];
    for (const file of files) hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}
