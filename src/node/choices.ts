/** Where Node keeps which kernels were measured to be the fastest: one file for all adapters. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChoiceStore } from '../gpu/index.ts';
import { parseJson } from '../json.ts';
import { partialPath, sweepPartials } from './partial.ts';

/**
 * Choices in a JSON file: a list of choices by adapter. It is read and written at once (recording a program waits for
 * nothing), and replaced as a whole. What can't be read or written is measured again.
 */
export function choicesFile(folder: string): ChoiceStore {
  const path = join(folder, 'choices.json');
  const readAll = (): Record<string, unknown> => {
    try {
      const all = parseJson(readFileSync(path, 'utf8'));
      return typeof all === 'object' && all !== null && !Array.isArray(all) ? { ...all } : {};
    } catch {
      return {};
    }
  };
  return {
    read: (adapter) => {
      const list = readAll()[adapter];
      return list === undefined ? null : JSON.stringify(list);
    },
    write: (adapter, text) => {
      const partial = partialPath(path);
      try {
        mkdirSync(folder, { recursive: true });
        sweepPartials(path);
        writeFileSync(partial, `${JSON.stringify({ ...readAll(), [adapter]: JSON.parse(text) }, null, 2)}\n`);
        renameSync(partial, path);
      } catch {
        if (existsSync(partial)) rmSync(partial);
      }
    },
  };
}
