/** What made a report, and when: every report says it. */
import manifest from '../../package.json' with { type: 'json' };
import type { Made } from '../reports/page.ts';

/** This program, now, as it was called. */
export function madeNow(): Made {
  const words = process.argv.slice(2).map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word)));
  return {
    version: manifest.version,
    date: new Date().toISOString(),
    command: ['webgpu-bnn', ...words].join(' '),
  };
}

/** In the quotes of a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
