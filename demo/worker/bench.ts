/** What this GPU does at most, and what products of signs reach of it: a minute of `webgpu-bnn bench`, loaded when it is asked for. */
import { measureCeilings } from '../../src/bench/ceilings.ts';
import { benchProduct } from '../../src/bench/products.ts';
import { matMuls, residualConvolutions } from '../../src/bench/shapes.ts';
import type { Gpu } from '../../src/index.ts';
import type { MeasuredGpu } from './protocol.ts';

/** Nothing new is begun after this, in milliseconds. */
const LONGEST = 60_000;

/** A software adapter leaves large ones out; a GPU takes milliseconds for them. */
const PRODUCTS = [...residualConvolutions(1), ...matMuls()];

/** @param measuring told what is measured next @throws GpuValidationError where a result is wrong */
export async function measureGpu(gpu: Gpu, measuring: (what: string) => void): Promise<MeasuredGpu> {
  const began = performance.now();
  const { software } = gpu.adapter;
  const runs = software ? 3 : 11;
  measuring('what the adapter does at most');
  const ceilings = await measureCeilings(gpu, { runs, sample: software ? 1 : 5 });
  const products: MeasuredGpu['products'][number][] = [];
  for (const product of PRODUCTS) {
    if (software && product.large) continue;
    if (products.length > 0 && performance.now() - began > LONGEST) break;
    measuring(product.name);
    const result = await benchProduct(gpu, product, ceilings, { runs, sample: software ? 1 : 50 });
    const { name, macs, bytes, ratio, binary, binaryOnGpu } = result;
    // The GPU's own clock, where it has one: the host's counts what it takes to submit.
    const seconds = (binaryOnGpu ?? binary).median / 1000;
    products.push({ name, ratio, perSecond: (2 * macs) / seconds, perByte: (2 * macs) / bytes });
  }
  const { popcounts, copy, multiplyAdds } = ceilings;
  return {
    popcounts: popcounts.perSecond,
    copy: copy.perSecond,
    multiplyAdds: multiplyAdds.perSecond,
    products,
  };
}
