/** What commands share when they print and write results. */
import { existsSync, statSync } from 'node:fs';
import { inspect } from 'node:util';
import { type Command, Option } from 'commander';
import { listed, OptionError, printable } from '../errors.ts';
import { namesIn } from '../node/files.ts';
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

/** An option that names a file which the command writes; see `protectFiles`. */
export class OutputOption extends Option {}

/**
 * Nothing is overwritten unasked: a command with options that name files which it writes gets `--overwrite`, and without it
 * ends before it begins where one of these files is there. So do its own commands.
 */
export function protectFiles(command: Command): void {
  for (const part of command.commands) protectFiles(part);
  const outputs = command.options.filter((option) => option instanceof OutputOption);
  if (outputs.length === 0) return;
  if (!command.options.some(({ long }) => long === '--overwrite')) {
    command.option('--overwrite', 'replace files that are there');
  }
  command.hook('preAction', () => {
    // What the command above takes, too, is found there.
    const flags = command.optsWithGlobals();
    for (const option of outputs) {
      const path = flags[option.attributeName()];
      if (typeof path === 'string' && path !== '-') assertFree([path], flags, option.long ?? '');
    }
  });
}

/**
 * @param where what named the files
 * @throws OptionError where one of these files is there, and replacing it wasn't asked for; pipes and devices are no files
 */
export function assertFree(
  paths: readonly string[],
  flags: { readonly overwrite?: boolean },
  where: string,
): void {
  if (flags.overwrite === true) return;
  const taken = paths.find((path) => existsSync(path) && statSync(path).isFile());
  if (taken === undefined) return;
  throw new OptionError('There is a file of this name already.', {
    given: taken,
    where,
    remedy: 'replace it: --overwrite; or keep it, and give another name',
  });
}

/** What a command leaves in a folder. */
export interface FolderContent {
  /** The file by which such a folder is known: whether it is replaced, or gone on with, is for the command to ask. */
  readonly mark: string;
  /** What may be left of one without it. */
  readonly files: readonly string[];
}

/**
 * What a command writes is mixed with nothing else: pictures, for one, could not be read any more. A folder that it fills is
 * new, empty, or one of its own; hidden files, and those that keep what a command prints, are in nobody's way.
 * @param own what such folders hold; without it nothing may be there, hidden or not, since the folder is replaced
 * @param where what named the folder
 * @throws OptionError for a folder that holds something else, StorageError for what is no folder
 */
export function assertOurs(folder: string, where: string, own?: FolderContent): void {
  const names = namesIn(folder);
  if (own !== undefined && names.includes(own.mark)) return;
  const others = names
    .filter((name) => own === undefined || !/^\.|\.(log|out|err|txt)$/i.test(name))
    .filter((name) => !own?.files.includes(name));
  if (others.length === 0) return;
  throw new OptionError('There are files in this folder already.', {
    given: `${folder}, with ${listed(others)}`,
    expected: 'a new folder, or an empty one',
    where,
    remedy: 'name another folder',
  });
}
