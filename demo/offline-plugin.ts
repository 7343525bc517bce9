/** Vite plugin: writes the service worker, with the files that the studio is made of. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Plugin } from 'vite';

const NAME = 'service-worker.js';
const PAGE = 'index.html';

export function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    writeBundle({ dir = '' }, bundle) {
      const contents = new Map(
        Object.entries(bundle).map(([name, file]) => [name, file.type === 'chunk' ? file.code : file.source]),
      );
      const files = closure(contents);
      const hash = createHash('sha256');
      for (const file of files) hash.update(file).update(contents.get(file) ?? '');
      const values: Readonly<Record<string, string>> = {
        files: JSON.stringify(files),
        version: hash.digest('hex').slice(0, 16),
      };
      const template = readFileSync(join(import.meta.dirname, NAME), 'utf8');
      const filled = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '');
      writeFileSync(join(dir, NAME), filled);
    },
  };
}

/** The page, and all files that it or what it names names; MNIST is kept as far as it is loaded, and who works for others has a network. */
function closure(contents: ReadonlyMap<string, string | Uint8Array>): string[] {
  const found = new Set([PAGE]);
  const named = [...contents.keys()].filter((name) => !/\.html$|^mnist\/|\/helper-/.test(name));
  for (const file of found) {
    const text = contents.get(file);
    if (text === undefined || !/\.(html|js|css)$/.test(file)) continue;
    const own = typeof text === 'string' ? text : new TextDecoder().decode(text);
    for (const name of named) if (own.includes(basename(name))) found.add(name);
  }
  return [...found].sort();
}
