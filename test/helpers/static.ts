/** Plain files served to a browser, as any static host would: nothing is compiled, and nothing falls back to a page. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

export interface StaticOptions {
  /** Where the folder lies below the server's root: `/some/where/`. Default `/`. */
  readonly below?: string;
  /** What becomes of scripts on their way. */
  readonly edit?: (script: string) => string;
}

/** Scripts as an engine without `Symbol.dispose` would run them: one symbol of another name, which no engine has. */
export const withoutDispose = (script: string): string =>
  script.replaceAll('Symbol.dispose', 'Symbol.absent');

/** Serves a folder on this machine, without a slash at the end of `url`. */
export async function serveFolder(
  folder: string,
  { below = '/', edit }: StaticOptions = {},
): Promise<{ url: string } & AsyncDisposable> {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').replace(/[?#].*$/, ''));
    const inside = path.startsWith(below) ? path.slice(below.length) : undefined;
    const file =
      inside === undefined
        ? ''
        : join(root, inside.endsWith('/') || inside === '' ? `${inside}index.html` : inside);
    if (!file.startsWith(root + sep) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.setHeader('content-type', type);
    if (edit !== undefined && type === 'text/javascript') response.end(edit(readFileSync(file, 'utf8')));
    else createReadStream(file).pipe(response.setHeader('content-length', statSync(file).size));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the static server has no address');
  return {
    url: `http://127.0.0.1:${address.port}${below.replace(/\/$/, '')}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
