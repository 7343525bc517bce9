// Values one by one, and signs from and to reals.
import { steepened, storeLanes } from './product';
import { Pointwise } from './steps';

// Operations, by their places in POINTWISE of src/cpu/records.ts.
const AFFINE: i32 = 0;
const NORMALIZE: i32 = 1;
const CLAMP: i32 = 2;
const PRELU: i32 = 3;
const ADD: i32 = 4;
const SUBTRACT: i32 = 5;
const MULTIPLY: i32 = 6;

export function pointwise(step: Pointwise, first: i32, end: i32): void {
  const lowest = f32x4.splat(step.lowest), highest = f32x4.splat(step.highest);
  const bytes = <usize>step.channels << 2;
  for (let pixel = first; pixel < end; pixel++) {
    const row: usize = <usize>pixel * bytes;
    for (let c: usize = 0; c < bytes; c += 16) {
      const x = v128.load(step.input + row + c);
      let y = x;
      switch (step.operation) {
        case AFFINE: y = f32x4.add(f32x4.mul(x, v128.load(step.first + c)), v128.load(step.second + c)); break;
        case NORMALIZE: {
          const centred = f32x4.sub(x, v128.load(step.first + c));
          y = f32x4.add(f32x4.mul(centred, v128.load(step.second + c)), v128.load(step.third + c));
          break;
        }
        case CLAMP: y = f32x4.min(f32x4.max(x, lowest), highest); break;
        case PRELU: y = steepened(x, v128.load(step.first + c)); break;
        case ADD: y = f32x4.add(x, v128.load(step.first + row + c)); break;
        case SUBTRACT: y = f32x4.sub(x, v128.load(step.first + row + c)); break;
        case MULTIPLY: y = f32x4.mul(x, v128.load(step.first + row + c)); break;
      }
      storeLanes(step.output + row + c, y, <i32>((bytes - c) >> 2));
    }
  }
}

/** Signs of reals: -1 where they are negative, or where direction·x is below the threshold. */
export function pack(step: Pointwise, first: i32, end: i32): void {
  const zero = f32x4.splat(0);
  const words = (step.channels + 31) >> 5;
  for (let pixel = first; pixel < end; pixel++) {
    const row = step.input + ((pixel * step.channels) << 2);
    for (let word = 0; word < words; word++) {
      const width = min(32, step.channels - (word << 5));
      let bits = 0;
      for (let f = 0; f < width; f += 4) {
        const at: usize = ((word << 5) + f) << 2;
        const x = v128.load(row + at);
        const negative = step.first
          ? v128.not(f32x4.ge(f32x4.mul(x, v128.load(step.first + at)), v128.load(step.second + at)))
          : f32x4.lt(x, zero);
        bits |= i32x4.bitmask(negative) << f;
      }
      if (width < 32) bits &= (1 << width) - 1;
      store<i32>(step.output + ((pixel * words + word) << 2), bits);
    }
  }
}

/** Signs as reals of 1 and -1. */
export function unpack(step: Pointwise, first: i32, end: i32): void {
  const words = (step.channels + 31) >> 5;
  for (let pixel = first; pixel < end; pixel++) {
    for (let c = 0; c < step.channels; c++) {
      const word = load<u32>(step.input + ((pixel * words + (c >> 5)) << 2));
      store<f32>(step.output + ((pixel * step.channels + c) << 2), word >> (c & 31) & 1 ? -1 : 1);
    }
  }
}
