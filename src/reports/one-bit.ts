/** What one bit a weight would make of layers, as a table of angles and errors. */
import type { LayerSurvey } from '../geometry/survey.ts';
import { GROUP_SIZES, type GroupedSigns, pooledError } from '../numerics/one-bit.ts';

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

const cellOf = (angle: number, error: number): OneBitCell =>
  Number.isFinite(error) ? [`${angle.toFixed(2)}°`, error.toFixed(4)] : [];

export function oneBitTable(layers: readonly LayerSurvey[]): OneBitTable {
  const groupsOf = ({ oneBit }: LayerSurvey) => oneBit?.groups ?? [];
  // The last of a layer is its whole filter, whatever its size.
  const bySize = (layer: LayerSurvey, size: number | undefined): GroupedSigns | undefined =>
    size === undefined
      ? groupsOf(layer).at(-1)
      : groupsOf(layer)
          .slice(0, -1)
          .find((one) => one.size === size);
  const sizes = GROUP_SIZES.filter((size) => layers.some((layer) => bySize(layer, size)));
  const columns = [...sizes, undefined];
  const whole = layers.filter((layer) => columns.every((size) => bySize(layer, size)));
  const all = columns.map((size): OneBitCell => {
    const error = pooledError(
      whole.map((layer) => ({
        norm: layer.oneBit?.norm ?? 0,
        error: bySize(layer, size)?.error ?? Number.NaN,
      })),
    );
    return Number.isFinite(error) ? [error.toFixed(4)] : [];
  });
  return {
    sizes,
    normal: columns.map((size) => {
      const [found, ...others] = layers.flatMap((layer) => bySize(layer, size) ?? []);
      // Filters may be of several lengths.
      const isOne = found !== undefined && others.every((other) => other.size === found.size);
      return isOne ? cellOf(found.expectedAngle, found.expectedError) : [];
    }),
    rows: layers.map((layer) => [
      layer.name,
      columns.map((size) => {
        const { angle = Number.NaN, error = Number.NaN } = bySize(layer, size) ?? {};
        return cellOf(angle, error);
      }),
    ]),
    all,
  };
}
