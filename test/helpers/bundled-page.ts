/** Scripts of `test/pages` for runtimes that read no TypeScript. */
import { join } from 'node:path';
import { build, type Rolldown } from 'vite';
import { wgsl } from '../../shaders/link.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The text of `test/pages/<name>.ts`, in one file with all that it imports but `external`. */
export async function bundledPage(
  name: string,
  external: readonly (string | RegExp)[] = [],
): Promise<string> {
  const [result] = [
    (await build({
      configFile: false,
      root: ROOT,
      logLevel: 'error',
      plugins: [wgsl()],
      build: {
        target: 'es2023',
        write: false,
        minify: false,
        lib: { entry: join(ROOT, 'test', 'pages', `${name}.ts`), formats: ['es'] },
        rolldownOptions: { external: [...external], output: { codeSplitting: false } },
      },
    })) as Rolldown.RolldownOutput[],
  ].flat();
  if (result === undefined) throw new Error(`${name} was not built`);
  return result.output[0].code;
}
