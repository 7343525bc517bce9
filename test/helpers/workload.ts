/**
 * The work that Node and Chrome both do, and whose results must be the same bits: packing, products, convolutions, and
 * the logits of a seeded network. Runs in a page as well, so it imports nothing of Node.
 */
import { cnn, type Gpu, mlp, Network, ops, runOnce } from '../../src/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';

/** Operands of the products and convolutions: how many values, of which stream. */
export const OPERANDS = {
  x: [9 * 777, 1],
  w: [21 * 777, 2],
  image: [2 * 9 * 7 * 40, 3],
  filters: [12 * 9 * 40, 4],
} as const;
export const EXTENTS = {
  rows: 9,
  columns: 21,
  depth: 777,
  imageShape: [2, 9, 7, 40],
  filterShape: [12, 3, 3, 40],
} as const;

/** Raw results by name, as plain numbers: they cross from a page as JSON. */
export async function workload(gpu: Gpu): Promise<Record<string, number[]>> {
  const noise = (count: number, stream: number) =>
    Float32Array.from({ length: count }, (_, i) => 2 * uniform01(5, stream, i) - 1);
  using x = gpu.tensor('x', [EXTENTS.rows, EXTENTS.depth], 'f32', noise(...OPERANDS.x));
  using w = gpu.tensor('w', [EXTENTS.columns, EXTENTS.depth], 'f32', noise(...OPERANDS.w));
  using image = gpu.tensor('image', EXTENTS.imageShape, 'f32', noise(...OPERANDS.image));
  using filters = gpu.tensor('filters', EXTENTS.filterShape, 'f32', noise(...OPERANDS.filters));
  using run = await runOnce(gpu, 'workload', (b) => {
    const [xBits, wBits] = [ops.packSigns(b, x), ops.packSigns(b, w)];
    const [imageBits, filterBits] = [ops.packSigns(b, image), ops.packSigns(b, filters)];
    return {
      packed: b.keep(xBits),
      product: b.keep(ops.binaryMatMul(b, xBits, wBits, { dtype: 'i32' })),
      exactZeros: b.keep(ops.binaryConv2d(b, imageBits, filterBits, { padding: 'same', dtype: 'i32' })),
      strided: b.keep(
        ops.binaryConv2d(b, imageBits, filterBits, {
          padding: 'same',
          padValue: 1,
          strides: 2,
          dtype: 'i32',
        }),
      ),
    };
  });
  const results: Record<string, number[]> = {};
  for (const [name, tensor] of Object.entries(run.result)) results[name] = [...(await gpu.read(tensor))];
  for (const build of [mlp, cnn]) {
    const model = build({ input: [28, 28, 1], classes: 10 });
    using network = await Network.create(gpu, model, { seed: 11 });
    results[model.name] = [...(await network.predict(noise(3 * 784, 6)))];
  }
  return results;
}
