/**
 * The work that Node and Chrome both do, and whose results must be the same bits: packing, products, convolutions, and
 * the logits of a seeded network. Runs in a page as well, so it imports nothing of Node.
 */
import { cnn, type Gpu, mlp, Network, ops, runOnce } from '../../src/index.ts';
import { uniform01 } from '../../src/reference/random.ts';

/** Raw results by name, as plain numbers: they cross from a page as JSON. */
export async function workload(gpu: Gpu): Promise<Record<string, number[]>> {
  const noise = (count: number, stream: number) =>
    Float32Array.from({ length: count }, (_, i) => 2 * uniform01(5, stream, i) - 1);
  using x = gpu.tensor('x', [9, 777], 'f32', noise(9 * 777, 1));
  using w = gpu.tensor('w', [21, 777], 'f32', noise(21 * 777, 2));
  using image = gpu.tensor('image', [2, 9, 7, 40], 'f32', noise(2 * 9 * 7 * 40, 3));
  using filters = gpu.tensor('filters', [12, 3, 3, 40], 'f32', noise(12 * 9 * 40, 4));
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
