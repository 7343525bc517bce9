/** Convolutions as cases of a grid: their names, and the grid that Larq Compute Engine tests its own with. */
import { type Conv2dOptions, type ResolvedConv2d, resolveConv2d } from '../../src/ops/conv.ts';

export interface ConvolutionCase extends Conv2dOptions {
  readonly input: readonly [n: number, h: number, w: number, c: number];
  readonly filter: readonly [o: number, kh: number, kw: number];
}

/** `I1x4x4x64_K3x3x4_G1_S1x1_D1x1_same_V1`, after Larq Compute Engine's test names. */
export function nameOf({
  input,
  filter,
  strides = 1,
  dilations = 1,
  groups = 1,
  padding = 'valid',
  padValue = 0,
}: ConvolutionCase): string {
  const [o, kh, kw] = filter;
  const pair = (value: NonNullable<Conv2dOptions['strides']>) =>
    typeof value === 'number' ? `${value}x${value}` : value.join('x');
  const pad = typeof padding === 'object' ? `pad${padding.flat().join('-')}` : padding;
  return `I${input.join('x')}_K${kh}x${kw}x${o}_G${groups}_S${pair(strides)}_D${pair(dilations)}_${pad}_V${padValue}`;
}

export function resolveCase(shape: ConvolutionCase): ResolvedConv2d {
  const [o, kh, kw] = shape.filter;
  return resolveConv2d(shape.input, [o, kh, kw, shape.input[3] / (shape.groups ?? 1)], shape);
}

/** Whether the windows fit into the image: random cases that have no output are left away. */
export function hasOutput(shape: ConvolutionCase): boolean {
  try {
    resolveCase(shape);
    return true;
  } catch {
    return false;
  }
}

const SMALL: readonly ConvolutionCase[] = [4, 64, 96, 128, 192, 256].flatMap((channels) =>
  (
    [
      [1, 1, 1],
      [4, 3, 3],
      [64, 3, 3],
    ] as const
  ).flatMap((filter) =>
    [1, 2].flatMap((groups) =>
      (['valid', 'same'] as const).flatMap((padding): ConvolutionCase[] => {
        if (filter[0] % groups !== 0) return [];
        const padValue = padding === 'same' ? 1 : 0;
        return [{ input: [1, 4, 4, channels], filter, groups, padding, padValue }];
      }),
    ),
  ),
);

function big(batch: number, channels: number, outputs: number): ConvolutionCase[] {
  const places = [1, 2, 4].flatMap((groups) =>
    ([1, [2, 3]] as const).flatMap((strides) =>
      ([1, [3, 2]] as const).map((dilations) => ({ groups, strides, dilations })),
    ),
  );
  return places.flatMap((place) =>
    (
      [
        ['valid', 0],
        ['same', 0],
        ['same', 1],
      ] as const
    ).map(
      ([padding, padValue]): ConvolutionCase => ({
        input: [batch, 7, 7, channels],
        filter: [outputs, 2, 3],
        ...place,
        padding,
        padValue,
      }),
    ),
  );
}

/** Its small and its big grid: 60 and 432 geometries. */
export const LARQ_GRID: readonly ConvolutionCase[] = [
  ...SMALL,
  ...[1, 5].flatMap((batch) =>
    [4, 64, 128].flatMap((channels) => [4, 32].flatMap((outputs) => big(batch, channels, outputs))),
  ),
];

/** The small grid, and the smallest and the largest of the big one: 132 geometries. */
export const LARQ_CORNERS: readonly ConvolutionCase[] = [...SMALL, ...big(1, 4, 4), ...big(5, 128, 32)];

/** Its sums beyond 16 bits. */
export const LARQ_LONG_SUMS: readonly ConvolutionCase[] = (['valid', 'same'] as const).map((padding) => ({
  input: [1, 6, 6, 3072],
  filter: [4, 5, 5],
  padding,
  padValue: 1,
}));
