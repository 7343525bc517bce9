/** The choice of kernels for what a bench is to time. */
import { type Gpu, ProgramBuilder, Tensor } from '../gpu/index.ts';
import * as ops from '../ops/index.ts';
import { recordGradient } from './backward.ts';
import { outputOf, recordProduct } from './products.ts';
import type { Product } from './shapes.ts';

/**
 * Measures which kernels are the fastest here for products and for the gradients of some, so that what is timed later is the
 * best there is. Gradients keep their bits: kernels that round otherwise are for those who ask for them.
 */
export async function tuneFor(
  gpu: Gpu,
  products: readonly Product[],
  backward: readonly Product[],
): Promise<number> {
  // Only recorded, which is what asks for the kernels; nothing is allocated.
  const b = new ProgramBuilder(gpu, 'kernels to choose from');
  const bits = (shape: Product['a']) => new Tensor('signs', shape, 'bits');
  for (const product of products) recordProduct(b, product, bits(product.a), bits(product.w));
  for (const product of backward) {
    const g = new Tensor('gradient', outputOf(product), 'f32');
    recordGradient(b, product, 'input', g, bits(product.w));
    recordGradient(b, product, 'weights', g, bits(product.a));
  }
  return (await ops.tune(gpu)).length;
}
