/** What commands share when they print and write results. */
import { inspect } from 'node:util';
import { printable } from '../errors.ts';
import { writeFileAtomic } from '../node/index.ts';

/**
 * From here on, whatever is printed steers no terminal: names in files may hold its escape sequences. Progress bars write to
 * their stream themselves, and no text of a file without `printable`.
 */
export function printPlainly(): void {
  for (const kind of ['log', 'error', 'warn'] as const) {
    const print = console[kind].bind(console);
    console[kind] = (...parts: readonly unknown[]) =>
      print(parts.map((part) => printable(typeof part === 'string' ? part : inspect(part))).join(' '));
  }
}

/** A result as JSON, in which every character that steers a terminal is escaped. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent);
  // Below a space, JSON escapes all by itself; line ends stand between values.
  return `${text.replace(/[\x7f-\x9f\p{Bidi_Control}]/gu, escaped)}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Writes a result where `--json` says: to standard output for `-`, to a file, or nowhere where it wasn't given. */
export async function emit(text: string, target: string | undefined): Promise<void> {
  // Awaited: a pipe takes a long text piece by piece, and the command leaves with process.exit.
  if (target === '-') await new Promise<void>((done) => process.stdout.write(text, () => done()));
  else if (target !== undefined) await writeFileAtomic(target, text);
}
