/** Binary convolutions with what becomes of their sums, as cases: a grid's, and random ones. */
import fc from 'fast-check';
import { uniform01 } from '../../src/numerics/random.ts';
import { FUSED_ACTIVATIONS, type FusedActivation } from '../../src/ops/fused.ts';
import { type ConvolutionCase, nameOf as convolutionName, hasOutput } from './convolutions.ts';

export interface Case extends ConvolutionCase {
  readonly output: 'real' | 'signs';
  readonly activation?: FusedActivation | undefined;
  /** Real outputs only: with a residual, and with a PReLU. */
  readonly residual?: boolean;
  readonly prelu?: boolean;
}

export function nameOf(shape: Case): string {
  const extras = `${shape.residual ? '_residual' : ''}${shape.prelu ? '_prelu' : ''}`;
  return `${convolutionName(shape)}_${shape.activation ?? 'none'}_${shape.output}${extras}`;
}

export const words = (count: number, seed: number, channels: number): Uint32Array<ArrayBuffer> => {
  const perRow = Math.ceil(channels / 32);
  const tail = channels % 32 === 0 ? 0xffffffff : 2 ** (channels % 32) - 1;
  return Uint32Array.from({ length: count * perRow }, (_, i) => {
    const word =
      Math.floor(uniform01(seed, 1, i) * 2 ** 24) ^ (Math.floor(uniform01(seed, 2, i) * 2 ** 24) << 8);
    return (i % perRow === perRow - 1 ? word & tail : word) >>> 0;
  });
};

/** Directions of every sign with thresholds where sums lie; multipliers of either sign. */
export function parametersOf(channels: number, spread: number, seed: number) {
  const draw = (stream: number, make: (u: number, c: number) => number) =>
    Float32Array.from({ length: channels }, (_, c) => make(uniform01(seed, stream, c), c));
  return {
    direction: draw(3, (_, c) => (c % 7 === 6 ? 0 : c % 3 === 1 ? -1 : 1)),
    threshold: draw(4, (u, c) => (c % 5 === 4 ? 0 : Math.round((u - 0.5) * spread))),
    multiplier: draw(5, (u) => 2 * u - 1),
    bias: draw(6, (u) => spread * (u - 0.5)),
    slope: draw(7, (u) => u - 0.25),
  };
}

/** Geometries with each activation to reals and to signs, or each with one of the four, in turn. */
export function withEpilogues(geometries: readonly ConvolutionCase[], how: 'all' | 'in turn'): Case[] {
  const epilogues = ([undefined, 'relu'] as const).flatMap((activation) =>
    (['real', 'signs'] as const).map((output) => ({ activation, output })),
  );
  return geometries.flatMap((geometry, index) =>
    epilogues
      .filter((_, i) => how === 'all' || i === index % 4)
      .map((epilogue) => ({ ...geometry, ...epilogue })),
  );
}

export function randomCases(count: number, seed: number): Case[] {
  const axis = (least: number, most: number) => fc.integer({ min: least, max: most });
  const cases = fc
    .record({
      size: fc.tuple(axis(1, 3), axis(1, 7), axis(1, 7)),
      groupChannels: fc.constantFrom(1, 3, 31, 32, 33, 64, 65, 160),
      kernel: fc.constantFrom([1, 1], [3, 3], [2, 3], [1, 5]),
      groups: fc.constantFrom(1, 1, 1, 2, 3),
      groupOutputs: fc.constantFrom(1, 4, 8, 31, 32, 68),
      strides: fc.tuple(axis(1, 3), axis(1, 3)),
      dilations: fc.tuple(axis(1, 3), axis(1, 3)),
      padding: fc.oneof(
        fc.constantFrom('valid' as const, 'same' as const),
        fc.tuple(fc.tuple(axis(0, 3), axis(0, 3)), fc.tuple(axis(0, 3), axis(0, 3))),
      ),
      padValue: fc.constantFrom(0 as const, 1 as const, -1 as const),
      output: fc.constantFrom('real' as const, 'signs' as const),
      activation: fc.constantFrom(undefined, ...FUSED_ACTIVATIONS),
      residual: fc.boolean(),
      prelu: fc.boolean(),
    })
    .map(
      ({ size, groupChannels, kernel, groups, groupOutputs, ...rest }): Case => ({
        ...rest,
        groups,
        input: [...size, groupChannels * groups],
        filter: [groupOutputs * groups, kernel[0] ?? 1, kernel[1] ?? 1],
      }),
    )
    .filter(hasOutput);
  return fc.sample(cases, { seed, numRuns: count });
}
