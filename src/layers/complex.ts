/** `quantComplexConv2d`: a convolution of complex numbers as one of reals, of twice the channels. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';
import { notedConfig } from '../methods/note.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { concat, constant } from '../ops/elementwise.ts';
import { slice } from '../ops/movement.ts';
import { combine } from '../ops/pointwise.ts';
import { layerName, namesOf } from '../options.ts';
import type { QuantConv2dOptions } from './conv2d.ts';
import { assertCount, type Layer, onlyInput, type Parameter } from './layer.ts';
import { withKernel } from './made-kernel.ts';
import { quantConv2d } from './named.ts';

/** Options of `quantComplexConv2d`: those of `quantConv2d`, with complex filters. */
export interface QuantComplexConv2dOptions
  extends Omit<
    QuantConv2dOptions,
    'groups' | 'groupScale' | 'inputGroupScale' | 'kernelRotation' | 'inputIntegers'
  > {
  /** Complex output channels: half as many as channels flow out. */
  readonly filters: number;
}

const OPTIONS = namesOf<QuantComplexConv2dOptions>({
  name: true,
  filters: true,
  kernelSize: true,
  useBias: true,
  inputQuantizer: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
  strides: true,
  dilations: true,
  padding: true,
  padValue: true,
});

/**
 * Binary convolution of complex numbers (BCNN: Li et al. 2021, and the code of its authors). Input [height, width, 2·channels], output
 * [height, width, 2·filters]: the real parts of all channels, then the imaginary ones. With signs Wr and Wi for weights Wr + i·Wi it is
 * one XNOR convolution with [Wr, −Wi; Wi, Wr], which uses each weight twice. What stands after it normalises real and imaginary parts
 * each by themselves; theirs whitens the two together. Quantizers of weights give signs alone.
 * @example
 * ```ts
 * import { quantComplexConv2d, sequential } from 'webgpu-bnn';
 *
 * const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
 * sequential([quantComplexConv2d({ filters: 16, kernelSize: 3, ...both })], { input: [8, 8, 32] });
 * ```
 */
export function quantComplexConv2d(options: QuantComplexConv2dOptions): Layer {
  const kind = 'quantComplexConv2d';
  const where = layerName(options, OPTIONS, kind);
  assertCount(options.filters, 'filters', where);
  const whole = quantConv2d({ ...options, filters: 2 * options.filters });
  const isBinary = options.kernelQuantizer !== undefined;
  const { product: _, ...traits } = whole.traits ?? {};
  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    traits: {
      ...traits,
      parts: ([input = []]) => [
        {
          layer: whole,
          parameters: {
            kernel: { of: 'kernel', make: (half) => wholeValues(half, input.at(-1) ?? 1, isBinary) },
          },
        },
      ],
    },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      if ((input.at(-1) ?? 0) % 2 === 0) return whole.outputShape(inputs, name);
      throw new ShapeError('Complex numbers have two channels each.', {
        given: describe(input),
        expected: '[height, width, 2·channels]: real parts, then imaginary ones',
        where: name,
      });
    },
    parameters: (inputs) =>
      whole.parameters(inputs).map((spec) => {
        if (spec.quantizer?.row !== undefined) {
          throw new OptionError('Weights of complex convolutions are signs alone.', {
            given: `${spec.quantizer.name}, which has a rule for rows`,
            where,
            remedy: "'steSign' or 'approxSign', say",
          });
        }
        return spec.name === 'kernel' ? { ...spec, shape: [options.filters, ...spec.shape.slice(1)] } : spec;
      }),
    operations: (inputs) => whole.operations?.(inputs) ?? { binary: 0, float: 0 },
    forward(context, inputs) {
      const { builder } = context;
      const kernel = wholeParameter(builder, context.parameter('kernel'));
      return withKernel(whole, context, inputs, kernel, (gradient) => ({
        kernel: halfGradient(builder, gradient),
      }));
    },
  };
}

/** [Wr, −Wi; Wi, Wr] of (Wr, Wi), whose rows have `channels` numbers. @param isBinary takes their signs */
function wholeValues(values: Float32Array, channels: number, isBinary: boolean): Float32Array {
  const half = isBinary ? values.map((value) => (value < 0 ? -1 : 1)) : values;
  return Float32Array.from({ length: 2 * half.length }, (_, index) => {
    const at = index % half.length;
    const isSecond = at % channels >= channels / 2;
    if (index < half.length) return (isSecond ? -1 : 1) * (half[at] ?? 0);
    return half[isSecond ? at - channels / 2 : at + channels / 2] ?? 0;
  });
}

/** The same of a parameter on the GPU. */
function wholeParameter(b: ProgramBuilder, { name, spec, value, packed }: Parameter): Parameter {
  const [filters = 1, ...row] = spec.shape;
  const shape = [2 * filters, ...row];
  const [real, imaginary] = halves(b, packed === undefined ? value : unpackSigns(b, packed));
  const upper = concat(b, [real, combine(b, 'subtract', constant(b, 0), imaginary)]);
  const whole = joined(b, upper, concat(b, [imaginary, real])).reshape(shape);
  const signs = packed && packSigns(b, whole);
  return { name, spec: { ...spec, shape }, value: whole, packed: signs };
}

/** The gradient of (Wr, Wi), of which each is used twice. */
function halfGradient(b: ProgramBuilder, gradient: Tensor): Tensor {
  const [filters = 2, ...row] = gradient.shape;
  const [upper, lower] = halves(b, gradient.reshape([1, gradient.size]));
  const rows: Shape = [gradient.size / 2 / (row.at(-1) ?? 1), row.at(-1) ?? 1];
  const [rr, ri] = halves(b, upper.reshape(rows));
  const [ir, ii] = halves(b, lower.reshape(rows));
  const parts = [combine(b, 'add', rr, ii), combine(b, 'subtract', ir, ri)];
  return concat(b, parts).reshape([filters / 2, ...row]);
}

/** The first and the second half of each row, [rows, half] each. */
function halves(b: ProgramBuilder, x: Tensor): readonly [Tensor, Tensor] {
  const channels = x.shape.at(-1) ?? 1;
  const rows = x.reshape([x.size / channels, channels]);
  const part = (first: number) =>
    slice(b, rows, { begin: [0, first], size: [x.size / channels, channels / 2], strides: [1, 1] });
  return [part(0), part(channels / 2)];
}

/** All of x, then all of y, in a row. */
function joined(b: ProgramBuilder, x: Tensor, y: Tensor): Tensor {
  return concat(b, [x.reshape([1, x.size]), y.reshape([1, y.size])]);
}
