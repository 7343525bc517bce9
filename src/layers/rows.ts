/**
 * Weights that are scale·sign + offset by filter, or sums of such planes, as products see them: what follows a product of
 * signs, and what comes before its gradient. The scales and offsets are parameters `kernelScale` and `kernelOffset`,
 * [filters] each (`kernelScale1` and so on of further planes, whose signs are `kernelPlane1`), which are derived from the
 * latent weights with their signs, and are all that inference needs of them. What the quantizer learns is `kernelLearned`.
 */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import type { Quantizer, RowRule } from '../methods/index.ts';
import type { Conv2dOptions } from '../ops/conv.ts';
import { packSigns } from '../ops/dense.ts';
import type { Plane } from '../ops/rows.ts';
import { type ForwardContext, gradientsOf, type Parameter, type ParameterSpec } from './layer.ts';

/** The kernel, and what goes with it: what its quantizer learns, and what is derived of its latent weights. */
export function withRows(kernel: ParameterSpec): ParameterSpec[] {
  const { quantizer, shape, name } = kernel;
  const { hasScale = false, hasOffset = false, planes = 1 } = quantizer?.row ?? {};
  const [filters = 1] = shape;
  const derived = (ending: string, value: number): ParameterSpec => ({
    ...{ name: `${name}${ending}`, shape: [filters], role: 'statistic' },
    initializer: { kind: 'constant', value },
    ...{ fanIn: 1, fanOut: filters },
  });
  const { fanIn, fanOut, initializer } = kernel;
  return [
    // Before the kernel, whose update derives what depends on both.
    ...learnedParameter(quantizer, `${name}Learned`, filters),
    kernel,
    ...Array.from({ length: planes }, (_, plane): ParameterSpec[] => [
      ...(plane === 0
        ? []
        : [
            {
              ...{ name: `${name}Plane${plane}`, shape, fanIn, fanOut, initializer },
              role: 'binary' as const,
              derived: true,
            },
          ]),
      ...(hasScale ? [derived(endingOf('Scale', plane), 1)] : []),
      ...(hasOffset ? [derived(endingOf('Offset', plane), 0)] : []),
    ]).flat(),
  ];
}

/** What a quantizer learns, as a parameter [1 or channels, numbers]; nothing for most. */
export function learnedParameter(
  quantizer: Quantizer | undefined,
  name: string,
  channels: number,
): ParameterSpec[] {
  const { learned } = quantizer?.definition ?? {};
  if (learned === undefined) return [];
  const values = Object.values(learned.numbers).map(({ start }) => start);
  const groups = learned.per === 'tensor' ? 1 : channels;
  return [
    {
      ...{ name, shape: [groups, values.length], role: 'real' },
      initializer: { kind: 'rows', values },
      ...{ fanIn: 1, fanOut: groups },
    },
  ];
}

function endingOf(what: 'Scale' | 'Offset', plane: number): string {
  return plane === 0 ? what : `${what}${plane}`;
}

/** The weights of a layer as it multiplies with them. */
export interface UsedWeights {
  /** What they are as reals, where they aren't multiplied as signs. */
  readonly value: Tensor;
  /** Their signs, where products are of signs. */
  readonly packed: Tensor | undefined;
  /** A quicker product of reals; undefined where there is none for these windows, of a convolution. */
  multiply?(x: Tensor, windows?: Conv2dOptions): Tensor | undefined;
}

/** A plane of weights: signs, and what is derived with them. */
export type RowTensors = Plane;

/** The planes of a kernel. @param parameterOf by the name that `kernel` has, and an ending */
export function rowTensors(
  kernel: Parameter,
  parameterOf: (ending: string) => Parameter | undefined,
): RowTensors[] {
  const { hasScale = false, hasOffset = false, planes = 1 } = kernel.spec.quantizer?.row ?? {};
  return Array.from({ length: planes }, (_, plane) => {
    const { packed } = (plane === 0 ? kernel : parameterOf(`Plane${plane}`)) ?? {};
    if (packed === undefined) {
      throw new OptionError('A binary parameter has no packed signs.', { where: kernel.name });
    }
    return {
      bits: packed,
      scale: hasScale ? parameterOf(endingOf('Scale', plane))?.value : undefined,
      offset: hasOffset ? parameterOf(endingOf('Offset', plane))?.value : undefined,
    };
  });
}

/**
 * Records what is derived of a binary parameter whose quantizer has a rule for rows: the signs of its planes, unless they are
 * those of the latent weights, with their scales and offsets.
 * @param parameterOf by the name that `kernel` has, and an ending
 * @param options.latent the latent weights, where they are not those of the parameter
 * @param options.flips u32 [filters]: counts the signs of the first plane that change
 */
export function deriveRows(
  builder: ProgramBuilder,
  kernel: Parameter,
  parameterOf: (ending: string) => Parameter | undefined,
  options: { readonly latent?: Tensor; readonly flips?: Tensor | undefined } = {},
): void {
  const rule = kernel.spec.quantizer?.row;
  if (rule === undefined || kernel.packed === undefined) return;
  const { latent = kernel.value, flips } = options;
  rule.operations.quantizeRows(
    builder,
    latent,
    rule,
    { learned: parameterOf('Learned')?.value },
    rowTensors(kernel, parameterOf).map((target, plane) => ({
      ...target,
      ...(plane === 0 && { flips, isPacked: !rule.hasArgument }),
    })),
  );
}

/** A product of packed signs and its gradient, made into those of weights that are scale·sign + offset. */
export interface RowProduct {
  /** Whether weights are their signs, and nothing is added to the pass. */
  readonly isPlain: boolean;
  /**
   * @param product of the packed signs
   * @param multiply the same with other packed weights of as many filters, or of one a group
   */
  output(product: Tensor, multiply: (packed: Tensor) => Tensor): Tensor;
  /** @param through the gradient with respect to the input, through a product of packed weights */
  gradInput(gradOutput: Tensor, through: (gradOutput: Tensor, packed: Tensor) => Tensor): Tensor;
}

/** How a layer's product with its parameter `kernel` is made whole. @param groups of a grouped convolution */
export function rowProduct(context: ForwardContext, packed: Tensor, groups = 1): RowProduct {
  const { builder, parameter } = context;
  const kernel = parameter('kernel');
  const planes = rowTensors(kernel, (ending) => parameter(`kernel${ending}`));
  const rule = kernel.spec.quantizer?.row;
  const [first] = planes;
  const isPlain = planes.length === 1 && first?.scale === undefined && first?.offset === undefined;
  if (isPlain || rule === undefined) {
    return {
      isPlain: true,
      output: (product) => product,
      gradInput: (gradOutput, through) => through(gradOutput, packed),
    };
  }
  const { add, affineColumns } = rule.operations;
  const ones = (b: ProgramBuilder, filters: number) => onesOf(b, rule, [filters, ...packed.shape.slice(1)]);
  /** The sum over the planes of what one of them gives. */
  const summed = (of: (plane: RowTensors, index: number) => Tensor) =>
    planes.map(of).reduce((sum, part) => add(builder, sum, part));
  return {
    isPlain: false,
    output(product, multiply) {
      let sums: Tensor | undefined;
      const sumsOnce = () => {
        sums ??= multiply(ones(builder, groups));
        return sums;
      };
      return summed(({ bits, scale, offset }, index) =>
        affineColumns(builder, index === 0 ? product : multiply(bits), {
          scale,
          offset: offset && { factor: offset, sums: sumsOnce() },
        }),
      );
    },
    gradInput(gradOutput, through) {
      const scaled = (factor: Tensor | undefined) =>
        factor === undefined ? gradOutput : affineColumns(builder, gradOutput, { scale: factor });
      return summed(({ bits, scale, offset }) => {
        const part = through(scaled(scale), bits);
        if (offset === undefined) return part;
        return add(builder, part, through(scaled(offset), ones(builder, packed.shape[0] ?? 1)));
      });
    },
  };
}

/** Packed weights that are all +1. */
export function onesOf(builder: ProgramBuilder, { operations }: RowRule, shape: readonly number[]): Tensor {
  const ones = builder.transient('ones', shape, 'f32');
  operations.fill(builder, ones, 1);
  return packSigns(builder, ones);
}

/** Reals of packed signs, made once for each. */
export function realsOnce(unpack: (bits: Tensor) => Tensor): (bits: Tensor) => Tensor {
  const known = new Map<Tensor, Tensor>();
  return (bits) => {
    const reals = known.get(bits) ?? unpack(bits);
    known.set(bits, reals);
    return reals;
  };
}

/** The gradient of a layer's kernel, and of what its quantizer learns. */
export function kernelGradients(
  context: ForwardContext,
  { spec, value, packed }: Parameter,
  gradient: Tensor,
): Readonly<Record<string, Tensor>> {
  const { quantizer } = spec;
  // Of an optimizer that trains values, the quantizer has no part in the pass.
  if (quantizer?.definition.learned === undefined || packed === undefined)
    return { kernel: gradient.reshape(spec.shape) };
  const { builder, parameter, numbersOf, state } = context;
  const { learnedGradient, statisticsFor } = gradientsOf(context, quantizer.name);
  const { row: rule, passing, scalars } = quantizer;
  const kernelLearned = learnedGradient(builder, gradient, {
    ...{ x: value, rule, passing, statistics: statisticsFor(builder, value, rule) },
    learned: parameter('kernelLearned').value,
    ...(scalars.length > 0 && { table: numbersOf?.(quantizer), state }),
  });
  return { kernelLearned, kernel: gradient };
}
