/** The search over gradients: it finds what there is to find, in the same way each time, and judges nothing twice. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { checkMethod } from '../../src/methods/check.ts';
import type { Quantizer } from '../../src/methods/index.ts';
import {
  BINARY,
  type GradientGenome,
  quantizerOfGenome,
  searchGradients,
  UNARY,
} from '../../src/methods/search.ts';
import { useGpu } from '../helpers/gpu.ts';

/** How near a gradient comes to Bi-Real Net's. */
function nearness(quantizer: Quantizer): number {
  const x = Array.from({ length: 81 }, (_, i) => (i - 40) / 20);
  return -x.reduce((sum, at) => sum + (quantizer.gradient(at) - Math.max(0, 2 - 2 * Math.abs(at))) ** 2, 0);
}

test('finds a gradient that there is, never loses the best, and judges no genome twice', async () => {
  const judged: string[] = [];
  const search = () =>
    searchGradients({
      generations: 100,
      seed: 4,
      fitness(quantizer, genome) {
        judged.push(JSON.stringify(genome));
        return nearness(quantizer);
      },
      onGeneration: (_, { fitness }) => fitness < -1e-9,
    });
  const { best, history } = await search();
  expect(new Set(judged).size).toBe(judged.length);
  expect(history).toEqual(history.toSorted((a, b) => a - b));
  // 1 - |x| where |x| <= 1, and the same once more.
  expect(best.fitness).toBeCloseTo(0, 9);
  expect(best.quantizer.gradient(0.25)).toBeCloseTo(1.5, 12);
  const first = [...judged];
  judged.length = 0;
  expect((await search()).best.genome).toEqual(best.genome);
  expect(judged).toEqual(first);
  // Not by trying all that there are.
  expect(judged.length).toBeLessThan((Object.keys(UNARY).length ** 2 * Object.keys(BINARY).length) / 3);
});

test('refuses counts that are none', async () => {
  await expect(searchGradients({ fitness: () => 0, population: 0 })).rejects.toThrow(OptionError);
  await expect(searchGradients({ fitness: () => 0, children: 1.5 })).rejects.toThrow(/children/);
});

describe('every operator agrees with its twin', () => {
  const gpu = useGpu();
  const unary = Object.keys(UNARY) as GradientGenome['left'][];
  const binary = Object.keys(BINARY) as GradientGenome['join'][];
  for (const [i, join] of binary.entries()) {
    const genome: GradientGenome = {
      left: unary[2 * i] ?? 'value',
      right: unary[2 * i + 1] ?? 'value',
      join,
    };
    test(`${join}(${genome.left}, ${genome.right})`, async () => {
      expect((await checkMethod(gpu(), quantizerOfGenome(genome))).worst).toBeLessThan(1e-4);
    });
  }
});
