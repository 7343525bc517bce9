/** How a method is named where it is used. */
import { BnnError } from '../../src/errors.ts';
import { quantDense } from '../../src/layers/index.ts';
import type { DescribedMethod } from '../../src/methods/describe.ts';
import { LOSSES, OPTIMIZERS, PENALTIES, QUANTIZERS, type Quantizer } from '../../src/methods/index.ts';

/** Why a quantizer can't be one of weights, or of activations; undefined where it can. */
export function unfitFor(
  quantizer: Quantizer,
  use: 'inputQuantizer' | 'kernelQuantizer',
): string | undefined {
  try {
    quantDense({ units: 1, [use]: quantizer });
    return undefined;
  } catch (error) {
    if (!(error instanceof BnnError)) throw error;
    return error.given?.replace(`${quantizer.name}: `, '');
  }
}

/** Methods that pages know by their names; others are imported. */
const NAMED = { ...QUANTIZERS, ...OPTIMIZERS, ...PENALTIES, ...LOSSES };

/** A program in which a method is used, with its numbers where it has some. */
export function methodExample(method: DescribedMethod): string {
  const { kind, name, parameters } = method;
  const numbers = Object.entries(parameters)
    .filter(([, value]) => typeof value === 'number')
    .map(([key, value]) => `${key}: ${value}`);
  const isNamed = Object.hasOwn(NAMED, name);
  const imported = isNamed ? '' : `\nimport { ${name} } from 'webgpu-bnn/methods';`;
  const like = isNamed
    ? numbers.length === 0
      ? `'${name}'`
      : `{ name: '${name}', ${numbers.join(', ')} }`
    : `${name}(${numbers.length === 0 ? '' : `{ ${numbers.join(', ')} }`})`;
  if (kind !== 'quantizer') {
    return `import type { TrainerOptions } from 'webgpu-bnn';${imported}\n\nexport const options: TrainerOptions = { ${kind}: ${like} };`;
  }
  const uses = (['inputQuantizer', 'kernelQuantizer'] as const)
    .filter((use) => unfitFor(method, use) === undefined)
    .map((use) => `  ${use}: ${like},\n`);
  return `import { quantDense } from 'webgpu-bnn';${imported}\n\nexport const layer = quantDense({\n  units: 64,\n${uses.join('')}});`;
}
