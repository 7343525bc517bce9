/** What one bit a weight would make of layers, as a table of angles and errors. */
import type { LayerSurvey } from '../geometry/survey.ts';
import { GROUP_SIZES, type GroupedSigns, pooledError } from '../numerics/one-bit.ts';

/** What the last row of the table is of. */
export const ALL_LAYERS = 'error, of all layers with every size';

/** Angle and error in words; empty where there are no such groups. */
export type OneBitCell = readonly string[];

/** A column for each size, and one for a scale of each filter. */
export interface OneBitTable {
  readonly sizes: readonly number[];
  /** What the closed form says of normal weights. */
  readonly normal: readonly OneBitCell[];
  readonly rows: readonly (readonly [name: string, cells: readonly OneBitCell[]])[];
  /** The relative error together of the layers that have groups of all sizes, so that columns are of the same weights. */
  readonly all: readonly OneBitCell[];
}

/** What signs make of a layer in groups of a size, or of whole filters; undefined where there are none. */
export function groupOf({ oneBit }: LayerSurvey, size: number | undefined): GroupedSigns | undefined {
  const groups = oneBit?.groups ?? [];
  // The last of a layer is its whole filter, whatever its size.
  return size === undefined ? groups.at(-1) : groups.slice(0, -1).find((one) => one.size === size);
}

/** Sizes of groups that a layer has, and undefined for whole filters. */
export const groupColumns = (layers: readonly LayerSurvey[]): readonly (number | undefined)[] => [
  ...GROUP_SIZES.filter((size) => layers.some((layer) => groupOf(layer, size))),
  undefined,
];

const cellOf = (angle: number, error: number): OneBitCell =>
  Number.isFinite(error) ? [`${angle.toFixed(2)}°`, error.toFixed(4)] : [];

export function oneBitTable(layers: readonly LayerSurvey[]): OneBitTable {
  const columns = groupColumns(layers);
  const whole = layers.filter((layer) => columns.every((size) => groupOf(layer, size)));
  const all = columns.map((size): OneBitCell => {
    const error = pooledError(
      whole.map((layer) => ({
        norm: layer.oneBit?.norm ?? 0,
        error: groupOf(layer, size)?.error ?? Number.NaN,
      })),
    );
    return Number.isFinite(error) ? [error.toFixed(4)] : [];
  });
  return {
    sizes: columns.filter((size) => size !== undefined),
    normal: columns.map((size) => {
      const [found, ...others] = layers.flatMap((layer) => groupOf(layer, size) ?? []);
      // Filters may be of several lengths.
      const isOne = found !== undefined && others.every((other) => other.size === found.size);
      return isOne ? cellOf(found.expectedAngle, found.expectedError) : [];
    }),
    rows: layers.map((layer) => [
      layer.name,
      columns.map((size) => {
        const { angle = Number.NaN, error = Number.NaN } = groupOf(layer, size) ?? {};
        return cellOf(angle, error);
      }),
    ]),
    all,
  };
}
