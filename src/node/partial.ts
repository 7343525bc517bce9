/**
 * Temporary names that say whose they are: what is written under one gets its own name when it is whole, and what a killed
 * process left is removed by the next one that writes the same file.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Names up to this long stand in the temporary one; of longer ones the hash, since names may have 255 bytes. */
const LONGEST = 100;
/** Nothing takes that long to write: older ones are left over, whichever machine they are from. */
const LEFT_OVER_MILLISECONDS = 24 * 3_600_000;

/** A path beside `target` to write it under. */
export function partialPath(target: string): string {
  const name = `${prefixOf(target)}${hostKey()}-${process.pid}-${randomBytes(4).toString('hex')}.partial`;
  return join(dirname(target), name);
}

/** Removes what killed processes left of earlier attempts to write `target`; a fault in doing so is none of the writer. */
export function sweepPartials(target: string): void {
  const [folder, prefix] = [dirname(target), prefixOf(target)];
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(prefix)) continue;
      const owner = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial$/.exec(name.slice(prefix.length));
      if (owner === null) continue;
      const path = join(folder, name);
      const isOrphan = owner[1] === hostKey() && !isAlive(Number(owner[2]));
      if (isOrphan || Date.now() - statSync(path).mtimeMs > LEFT_OVER_MILLISECONDS) {
        rmSync(path, { recursive: true, force: true });
      }
    }
  } catch {
    // A folder that can't be listed, or one that another process swept first.
  }
}

/** Whether a process of this machine is there, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function prefixOf(target: string): string {
  const name = basename(target);
  return `.${Buffer.byteLength(name) <= LONGEST ? name : shortHash(name)}.`;
}

function hostKey(): string {
  return shortHash(hostname());
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
