/** Sums, concatenation, bias, dropout and fills; floats throughout. */
import { OptionError, ShapeError } from '../errors.ts';
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import {
  add1,
  add4,
  addBias1,
  addBias4,
  addInto1,
  addInto4,
  columnSums1,
  columnSums4,
  copyColumns1,
  copyColumns4,
  dropoutMask,
  fill1,
  fill4,
} from '../kernels/elementwise.ts';
import { dropoutThreshold } from '../numerics/random.ts';
import { assertDType, assertFloats } from './checks.ts';
import { assertState } from './data.ts';

/** x + y, both f32 of one shape. @throws ShapeError */
export function add(b: ProgramBuilder, x: Tensor, y: Tensor): Tensor {
  assertDType(x, 'f32', 'add');
  assertFloats(y, x.shape, 'add');
  const out = b.transient('sum', x.shape, 'f32');
  const { four, LANES } = lanesOf(x.size);
  b.dispatch(four ? add4 : add1, { x, y, out }, { LANES });
  return out;
}

/** target += x in place, both f32 of one shape and not the same tensor. @throws ShapeError, OptionError */
export function addInto(b: ProgramBuilder, target: Tensor, x: Tensor): void {
  assertDType(target, 'f32', 'addInto');
  assertFloats(x, target.shape, 'addInto');
  if (target.base === x.base) {
    throw new OptionError("A tensor can't be added to itself in place.", {
      given: target.label,
      where: 'addInto',
    });
  }
  const { four, LANES } = lanesOf(x.size);
  b.dispatch(four ? addInto4 : addInto1, { x, sum: target }, { LANES });
}

/** Sets every element of an f32 tensor. @throws ShapeError, OptionError */
export function fill(b: ProgramBuilder, out: Tensor, value: number): void {
  assertDType(out, 'f32', 'fill');
  if (!Number.isFinite(Math.fround(value))) {
    throw new OptionError('A tensor is filled with a finite f32.', { given: String(value), where: 'fill' });
  }
  const { four, LANES } = lanesOf(out.size);
  b.dispatch(four ? fill4 : fill1, { out }, { LANES, VALUE: value });
}

/** One number as f32 [1, 1], which `combine` takes with tensors of two axes. @throws OptionError */
export function constant(b: ProgramBuilder, value: number): Tensor {
  const out = b.transient(`constant ${value}`, [1, 1], 'f32');
  fill(b, out, value);
  return out;
}

/** x f32 [..., C] + bias f32 [C]. @throws ShapeError */
export function addBias(b: ProgramBuilder, x: Tensor, bias: Tensor): Tensor {
  assertDType(x, 'f32', 'addBias');
  const channels = x.shape.at(-1) ?? 1;
  assertFloats(bias, [channels], 'addBias');
  const out = b.transient('biased', x.shape, 'f32');
  b.dispatch(
    channels % 4 === 0 ? addBias4 : addBias1,
    { x, bias, out },
    { ROWS: x.size / channels, CHANNELS: channels },
  );
  return out;
}

/** Sums of g f32 [..., C] over all axes but the last, in a fixed order. @returns f32 [C] @throws ShapeError */
export function biasGrad(b: ProgramBuilder, g: Tensor): Tensor {
  assertDType(g, 'f32', 'biasGrad');
  const channels = g.shape.at(-1) ?? 1;
  const rows = g.size / channels;
  const kernel = channels % 4 === 0 ? columnSums4 : columnSums1;
  const out = b.transient('gradient of bias', [channels], 'f32');
  // Both stages are about equally long.
  const chunks = rows < 16 ? 1 : Math.min(256, Math.ceil(Math.sqrt(rows)));
  if (chunks === 1) {
    b.dispatch(kernel, { x: g, sums: out }, { ROWS: rows, CHANNELS: channels, CHUNKS: 1 });
    return out;
  }
  const partial = b.transient('chunk sums', [chunks, channels], 'f32');
  b.dispatch(kernel, { x: g, sums: partial }, { ROWS: rows, CHANNELS: channels, CHUNKS: chunks });
  b.dispatch(kernel, { x: partial, sums: out }, { ROWS: chunks, CHANNELS: channels, CHUNKS: 1 });
  return out;
}

/**
 * Tensors side by side along the last axis.
 * @param xs f32 [..., C_i]; all other axes agree
 * @returns f32 [..., sum of C_i]
 * @throws ShapeError, OptionError
 */
export function concat(b: ProgramBuilder, xs: readonly Tensor[]): Tensor {
  const [first] = xs;
  if (first === undefined) {
    throw new OptionError('Nothing was given to put side by side.', { where: 'concat' });
  }
  const leading = first.shape.slice(0, -1);
  const widths = xs.map((x) => {
    const width = x.shape.at(-1) ?? 1;
    assertFloats(x, [...leading, width], 'concat');
    return width;
  });
  const total = widths.reduce((sum, width) => sum + width, 0);
  const out = b.transient('joined', [...leading, total], 'f32');
  let start = 0;
  xs.forEach((x, i) => {
    const width = widths[i] ?? 1;
    copyColumns(b, x, 0, out, start, width);
    start += width;
  });
  return out;
}

/**
 * The parts of a gradient f32 [..., sum of widths] along its last axis.
 * @param widths columns of each part
 * @returns f32 [..., width] each
 * @throws ShapeError
 */
export function concatGrad(b: ProgramBuilder, g: Tensor, widths: readonly number[]): Tensor[] {
  assertDType(g, 'f32', 'concatGrad');
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total !== g.shape.at(-1)) {
    throw new ShapeError("The parts don't make up the whole.", {
      given: `parts of ${widths.join(', ')} columns`,
      expected: `${g.shape.at(-1)} columns in all`,
      where: 'concatGrad',
    });
  }
  let start = 0;
  return widths.map((width) => {
    const part = b.transient('part', [...g.shape.slice(0, -1), width], 'f32');
    copyColumns(b, g, start, part, 0, width);
    start += width;
    return part;
  });
}

/** What `dropout` draws, and at what rate. */
export interface DropoutOptions {
  /** f32, any shape. */
  readonly x: Tensor;
  /** Share of the elements that become 0; at least 0 and below 1. */
  readonly rate: number;
  /** u32 [8]. */
  readonly state: Tensor;
  /** Random stream: another number for every place that drops, below 2^32. */
  readonly stream: number;
  /** Nothing is dropped when false, and x comes back as it is. */
  readonly training: boolean;
}

/**
 * x with a random share of its elements set to 0 and the others divided by 1 - rate (Srivastava et al. 2014, the
 * inverted form). The mask is a function of (seed, stream, step, element): `dropoutGrad` draws the same one as long as
 * the state's step is the same.
 * @throws ShapeError, OptionError
 */
export function dropout(b: ProgramBuilder, options: DropoutOptions): Tensor {
  return options.training ? applyDropout(b, options, 'dropout') : options.x;
}

/** The gradient of `dropout` within the same step. @throws ShapeError, OptionError */
export function dropoutGrad(
  b: ProgramBuilder,
  options: Pick<DropoutOptions, 'rate' | 'state' | 'stream'> & { readonly gradOutput: Tensor },
): Tensor {
  return applyDropout(b, { ...options, x: options.gradOutput }, 'dropoutGrad');
}

function applyDropout(
  b: ProgramBuilder,
  { x, rate, state, stream }: Pick<DropoutOptions, 'x' | 'rate' | 'state' | 'stream'>,
  where: string,
): Tensor {
  assertDType(x, 'f32', where);
  assertState(state, where);
  if (!(rate >= 0 && rate < 1)) {
    throw new OptionError('The dropout rate is at least 0 and below 1.', { given: `rate = ${rate}`, where });
  }
  if (!Number.isInteger(stream) || stream < 0 || stream > 0xffffffff) {
    throw new OptionError('A random stream is a 32-bit number.', { given: `stream = ${stream}`, where });
  }
  const out = b.transient('dropped', x.shape, 'f32');
  b.dispatch(
    dropoutMask,
    { x, state, out },
    { SIZE: x.size, STREAM: stream, THRESHOLD: dropoutThreshold(rate), SCALE: 1 / (1 - rate) },
  );
  return out;
}

function copyColumns(
  b: ProgramBuilder,
  x: Tensor,
  from: number,
  out: Tensor,
  to: number,
  columns: number,
): void {
  const fromColumns = x.shape.at(-1) ?? 1;
  const toColumns = out.shape.at(-1) ?? 1;
  const four = [columns, from, to, fromColumns, toColumns].every((count) => count % 4 === 0);
  b.dispatch(
    four ? copyColumns4 : copyColumns1,
    { x, out },
    {
      ROWS: x.size / fromColumns,
      COLUMNS: columns,
      FROM_COLUMNS: fromColumns,
      FROM: from,
      TO_COLUMNS: toColumns,
      TO: to,
    },
  );
}

function lanesOf(size: number): { four: boolean; LANES: number } {
  return size % 4 === 0 ? { four: true, LANES: size / 4 } : { four: false, LANES: size };
}
