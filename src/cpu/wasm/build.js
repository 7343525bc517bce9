/**
 * Compiles the kernels and writes them into `src/cpu/module.ts`, so that they are part of the engine's code: `npm run wasm`.
 * Deterministic: `test/cpu-module.test.ts` compiles them again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { deflateSync } from 'node:zlib';
import asc from 'assemblyscript/asc';

const FOLDER = import.meta.dirname;

/** @returns {Promise<Uint8Array>} the bytes of the module */
export async function compile() {
  let binary = new Uint8Array();
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      ...['--outFile', 'kernels.wasm', '--runtime', 'stub', '--optimizeLevel', '3', '--shrinkLevel', '1'],
      ...['--converge', '--noAssert', '--enable', 'simd', '--importMemory', '--noExportMemory'],
      ...['--initialMemory', '1', '--maximumMemory', '65536'],
    ],
    {
      // The compiler asks for .ts files; these are AssemblyScript, which TypeScript and the linter don't take.
      readFile(name) {
        const source = join(FOLDER, `${basename(name, '.ts')}.as`);
        try {
          return readFileSync(source, 'utf8');
        } catch {
          return null;
        }
      },
      writeFile(_name, contents) {
        binary = Uint8Array.from(contents);
      },
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(`The kernels don't compile.\n${stderr.toString()}`, { cause: error });
  return binary;
}

/** Where a module says what memory it imports: 1 for one of its own, 3 for a shared one. @param {Uint8Array} binary */
export function limitsOf(binary) {
  // The kind of the import stands in between: 2, a memory.
  return Buffer.from(binary).indexOf('memory') + 'memory'.length + 1;
}

/** The file that carries a module. @param {Uint8Array} binary */
function carrier(binary) {
  return `/** Where it says what memory it imports: 1 for one of its own, 3 for a shared one. */
export const LIMITS = ${limitsOf(binary)};

/** Made by \`npm run wasm\` from \`src/cpu/wasm/\`: ${binary.length} bytes of WebAssembly, deflated (RFC 1950), in base64. */
export const MODULE =
  '${deflateSync(binary, { level: 9 }).toString('base64')}';
`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const binary = await compile();
  writeFileSync(join(FOLDER, '..', 'module.ts'), carrier(binary));
  process.stdout.write(`${binary.length} bytes\n`);
}
