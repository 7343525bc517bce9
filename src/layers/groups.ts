/**
 * Weights with a scale for each group of them along a filter: `groupScale` of `quantDense` and `quantConv2d`. A group is a row of the
 * parameter `kernel` [groups of all filters, groupScale], with a scale in `kernelScale`: to quantizers it is what a filter is elsewhere.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import type { Quantizer } from '../methods/index.ts';
import { type Conv2dOptions, resolveConv2d } from '../ops/conv.ts';
import { unpackSigns } from '../ops/dense.ts';
import { groupedRows } from '../ops/grouped.ts';
import { affineSamples } from '../ops/samples.ts';
import { assertCount, type ForwardContext, type Parameter } from './layer.ts';
import { rowTensors, type UsedWeights } from './rows.ts';

type GroupOption = 'groupScale' | 'inputGroupScale';

/**
 * The shape of a kernel as groups, by that of its weights.
 * @throws OptionError unless the quantizer gives signs times one scale; of a shape ShapeError where groups don't divide a filter
 */
export function groupsOf(
  groupScale: number,
  quantizer: Quantizer | undefined,
  where: string,
): (shape: Shape) => Shape {
  assertScales('groupScale', groupScale, quantizer, where);
  return (shape) => {
    const [filters = 1, ...filter] = shape;
    return [filters * groupsIn(filter, groupScale, 'groupScale', where), groupScale];
  };
}

/** @throws OptionError unless the quantizer gives signs times one scale */
export function assertScales(
  option: GroupOption,
  length: number,
  quantizer: Quantizer | undefined,
  where: string,
): void {
  assertCount(length, option, where);
  const { row, definition, name = 'none' } = quantizer ?? {};
  if (row?.hasScale === true && !row.hasOffset && row.planes === 1 && definition?.learned === undefined)
    return;
  const own = option === 'groupScale' ? 'kernelQuantizer' : 'inputQuantizer';
  throw new OptionError('The values of a group are signs times one scale.', {
    given: `${option}, and the ${own} ${name}`,
    expected: 'a quantizer with a scale, and without an offset, further planes or learned numbers',
    where,
    remedy: `give ${own}: 'magnitudeAwareSign'`,
  });
}

/** How many groups there are. @throws ShapeError where they don't divide a filter or a sample */
export function groupsIn(shape: Shape, length: number, option: GroupOption, where: string): number {
  const groups = sizeOf(shape) / length;
  if (Number.isInteger(groups)) return groups;
  throw new ShapeError(`Groups divide ${option === 'groupScale' ? 'the weights of a filter' : 'a sample'}.`, {
    given: `groups of ${length} of ${shape.join(' x ')} values`,
    where,
    remedy: `give a ${option} that divides ${sizeOf(shape)}`,
  });
}

/** The weights of a kernel of groups as products of reals take them. @param shape of the weights */
export function groupedWeights(
  { builder, parameter }: ForwardContext,
  kernel: Parameter,
  shape: Shape,
): UsedWeights {
  // Of an optimizer that trains values, they are the weights.
  if (kernel.packed === undefined) return { value: kernel.value.reshape(shape), packed: undefined };
  const [{ bits, scale } = { bits: kernel.packed, scale: undefined }] = rowTensors(kernel, (ending) =>
    parameter(`kernel${ending}`),
  );
  const [groupScale = 1] = kernel.spec.shape.slice(1);
  const [outputs = 1, ...filter] = shape;
  const inputs = sizeOf(filter);
  let made: Tensor | undefined;
  return {
    packed: undefined,
    get value() {
      made ??= affineSamples(builder, unpackSigns(builder, bits), { scale }).reshape(shape);
      return made;
    },
    multiply(x, windows) {
      if (scale === undefined || groupScale % 32 !== 0) return undefined;
      if (windows !== undefined && !isPixelwise(x.shape, shape, windows)) return undefined;
      const sums = groupedRows(
        builder,
        x.reshape([x.size / inputs, inputs]),
        bits.reshape([outputs, inputs]),
        scale.reshape([outputs, inputs / groupScale]),
      );
      return sums.reshape([...x.shape.slice(0, -1), outputs]);
    },
  };
}

/** Whether a convolution multiplies every pixel by itself. */
function isPixelwise(input: Shape, filter: Shape, windows: Conv2dOptions): boolean {
  const g = resolveConv2d(input, filter, windows, 'quantConv2d');
  const isOne = [g.kernelHeight, g.kernelWidth, g.strideY, g.strideX, g.groups].every((n) => n === 1);
  return isOne && g.padTop + g.padBottom + g.padLeft + g.padRight === 0;
}
