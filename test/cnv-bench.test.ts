/** CNV beside the float network of its shape in ONNX Runtime Web: the same scores, and figures that make sense. */
import { expect, test } from 'vitest';
import { benchCnv } from '../src/bench/cnv.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

test('the float network with signs gives the scores of the binary one, and both are timed', async () => {
  const before = gpu().memory.bytes;
  const result = await benchCnv(gpu(), { batch: 2, runs: 2 });
  if ('reason' in result) expect.fail(`${result.name}: ${result.reason}`);
  expect(result.peer).toMatch(/^ONNX Runtime Web WASM 1\./);
  expect(result.binary.runs).toBe(2);
  expect(result.imagesPerSecond.binary).toBeCloseTo(2000 / result.binary.median);
  expect(result.ratio).toBeCloseTo(result.imagesPerSecond.binary / result.imagesPerSecond.float);
  // A bit a weight; the thresholds, and the words of the three colours, come on top.
  expect(result.weightBytes.float / result.weightBytes.binary).toBeGreaterThan(28);
  expect(gpu().memory.bytes).toBe(before);
});
