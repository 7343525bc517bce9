/** What commands share when they print and write results. */
import { writeFileAtomic } from '../node/index.ts';

/** Writes a result where `--json` says: to standard output for `-`, to a file, or nowhere. */
export async function emit(text: string, target: string | undefined): Promise<void> {
  // Awaited: a pipe takes a long text piece by piece, and the command leaves with process.exit.
  if (target === '-') await new Promise<void>((done) => process.stdout.write(text, () => done()));
  else if (target !== undefined) await writeFileAtomic(target, text);
}
