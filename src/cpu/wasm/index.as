// What the engine calls: a part of a step, and the loops that it measures.
import { pack, pointwise, unpack } from './pointwise';
import { depthwiseReals, depthwiseSigns, poolReals, poolSigns } from './pool';
import { product } from './product';
import { Pointwise, Pool, Product } from './steps';

export { count } from './count';

/**
 * Works on some of a step's units.
 * @param step the address of its record
 * @param scratch memory of the calling thread
 */
export function work(step: usize, first: i32, end: i32, scratch: usize): void {
  // By their places in KERNELS of src/cpu/records.ts.
  switch (load<i32>(step)) {
    case 0: product(changetype<Product>(step), first, end, scratch, true); break;
    case 1: product(changetype<Product>(step), first, end, scratch, false); break;
    case 2: depthwiseSigns(changetype<Product>(step), first, end, scratch); break;
    case 3: depthwiseReals(changetype<Product>(step), first, end); break;
    case 4: poolSigns(changetype<Pool>(step), first, end); break;
    case 5: poolReals(changetype<Pool>(step), first, end); break;
    case 6: pointwise(changetype<Pointwise>(step), first, end); break;
    case 7: pack(changetype<Pointwise>(step), first, end); break;
    case 8: unpack(changetype<Pointwise>(step), first, end); break;
  }
}
