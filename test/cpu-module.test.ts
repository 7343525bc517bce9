/** The kernels that are carried in the engine's code: what their source compiles to, and no larger than they may be. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inflated } from '../src/cpu/machine.ts';
import { LIMITS, MODULE } from '../src/cpu/module.ts';
import {
  KERNELS,
  OPERATIONS,
  POINTWISE_FIELDS,
  POOL_FIELDS,
  PRODUCT_FIELDS,
  REAL_FIELDS,
  TILE_FIELD,
} from '../src/cpu/records.ts';

const FOLDER = join(import.meta.dirname, '..', 'src', 'cpu', 'wasm');
const source = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

test('the module is what the sources compile to: npm run wasm', async () => {
  const { compile, limitsOf } = (await import(join(FOLDER, 'build.js'))) as {
    compile(): Promise<Uint8Array>;
    limitsOf(binary: Uint8Array): number;
  };
  const binary = await compile();
  expect(Buffer.from(binary).equals(await inflated(MODULE)), 'run npm run wasm').toBe(true);
  expect(limitsOf(binary)).toBe(LIMITS);
  // A memory of its own, with a limit.
  expect(binary[LIMITS]).toBe(1);
  expect(binary.length).toBeLessThanOrEqual(8192);
});

describe('records have the same fields on both sides', () => {
  test.each([
    ['Product', PRODUCT_FIELDS],
    ['Pool', POOL_FIELDS],
    ['Pointwise', POINTWISE_FIELDS],
  ])('%s', (name, fields) => {
    const text = source('steps.as').split(`class ${name} {`)[1]?.split('\n}')[0] ?? '';
    const own = [...text.matchAll(/^ {2}(\w+): (\w+);/gm)];
    expect(own.map(([, field]) => field)).toEqual([...fields]);
    expect(own.filter(([, , type]) => type === 'f32').map(([, field]) => field)).toEqual(
      fields.filter((field) => REAL_FIELDS.includes(field)),
    );
    expect(fields.length).toBeLessThanOrEqual(TILE_FIELD);
  });

  test('kernels and operations are called by their numbers', () => {
    const cases = [...source('index.as').matchAll(/case (\d+): (\w+)\(/g)].map(([, , name]) => name);
    const renamed = KERNELS.map((name) => (name.endsWith('Product') ? 'product' : name));
    expect(cases).toEqual(renamed);
    const numbers = [...source('pointwise.as').matchAll(/const (\w+): i32 = (\d+);/g)];
    expect(numbers.map(([, name]) => name?.toLowerCase())).toEqual([...OPERATIONS]);
    expect(numbers.map(([, , number]) => Number(number))).toEqual(OPERATIONS.map((_, i) => i));
  });
});
