/** Vite plugin: the entry for running networks as one file beside the page, which goes into the pages that visitors download. */
import { join } from 'node:path';
import { transform } from 'esbuild';
import { build, type Plugin } from 'vite';
import { wgsl } from '../shaders/link.ts';
import { requestPath } from '../src/node/request.ts';
import { RUNTIME } from './worker/pieces.ts';

async function made(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [wgsl({ share: true })],
    build: {
      write: false,
      target: 'es2023',
      lib: { entry: join(import.meta.dirname, '..', 'src', 'inference.ts'), formats: ['es'] },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [{ output } = { output: [] }] = (Array.isArray(built) ? built : [built]) as {
    output: { code?: string }[];
  }[];
  const { code } = await transform(output[0]?.code ?? '', { minify: true, format: 'esm', target: 'es2023' });
  return code;
}

export function runtime(): Plugin {
  return {
    name: 'runtime',
    configureServer(server) {
      let code: Promise<string> | undefined;
      server.middlewares.use(async (request, response, next) => {
        if (requestPath(request.url) !== `/${RUNTIME}`) return next();
        code ??= made();
        response.setHeader('content-type', 'text/javascript').end(await code);
      });
    },
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName: RUNTIME, source: await made() });
    },
  };
}
