/** Methods of one's own are held against their twins when they are used first, as long as a program is being developed. */
import type { Gpu } from '../gpu/index.ts';
import type { Loss } from './loss.ts';
import { LOSSES } from './losses/index.ts';
import { PENALTIES } from './penalties/index.ts';
import type { Penalty } from './penalty.ts';
import type { Quantizer } from './quantizer.ts';
import { QUANTIZERS } from './quantizers/index.ts';

/** What has a gradient in WGSL, and a twin of it. */
type Checked = Quantizer | Penalty | Loss;

/** The numbers that a definition was checked with. */
const checked = new WeakMap<object, Set<string>>();

/**
 * Whether this is what users get, and not what a developer tries: as bundlers and Node say it. Bundlers put the text in place
 * of the variable, so it stands here alone; where there is neither, nobody built anything.
 */
function isProduction(): boolean {
  try {
    return process.env.NODE_ENV === 'production';
  } catch {
    return false;
  }
}

/**
 * Runs `checkMethod` for the methods that aren't the library's own and weren't checked before with the same numbers. In
 * production nothing is done or loaded.
 * @throws OptionError for a method that disagrees with its twin, with both numbers; what `checkMethod` throws
 */
export async function checkAtFirstUse(gpu: Gpu, methods: Iterable<Checked>): Promise<void> {
  if (isProduction()) return;
  const shipped = [QUANTIZERS, PENALTIES, LOSSES].flatMap((table) =>
    Object.values(table).map(({ definition }): object => definition),
  );
  for (const method of new Set(methods)) {
    const { definition, parameters } = method;
    if (shipped.includes(definition)) continue;
    const known = checked.get(definition) ?? new Set();
    const numbers = JSON.stringify(parameters);
    if (known.has(numbers)) continue;
    const { checkMethod } = await import('./check.ts');
    await checkMethod(gpu, method);
    checked.set(definition, known.add(numbers));
  }
}
