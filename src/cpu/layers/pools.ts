/** Pooling, of signs and of reals. */
import { packSigns } from '../../numerics/pack.ts';
import type { Pool2dWindows } from '../../numerics/windows.ts';
import { type Pool2dOptions, resolvePool2d } from '../../ops/pool.ts';
import { type Constant, channelsOf, pixelsOf, type Recorder, type Value } from '../program.ts';
import type { Lower } from './lowering.ts';

export const maxPool2d: Lower = ({ recorder, config }, [input]) =>
  pooled(recorder, input as Value, config as unknown as Pool2dOptions, {});

export const signPool2d: Lower = (layer, [input]) => {
  const { recorder, config } = layer;
  const direction = layer.reals('direction');
  const smallest = { data: packSigns(direction, 1, direction.length) };
  return pooled(recorder, recorder.signs(input as Value), config as unknown as Pool2dOptions, { smallest });
};

export const averagePool2d: Lower = ({ recorder, config }, [input]) =>
  pooled(recorder, recorder.reals(input as Value), config as unknown as Pool2dOptions, { isMean: true });

export const globalAveragePool2d: Lower = ({ recorder, outputShape }, [input]) => {
  const [height = 1, width = 1] = (input as Value).shape;
  const options = { poolSize: [height, width] as const };
  const mean = pooled(recorder, recorder.reals(input as Value), options, { isMean: true });
  return recorder.reshaped(mean, outputShape);
};

function pooled(
  recorder: Recorder,
  input: Value,
  options: Pool2dOptions,
  { smallest, isMean = false }: { readonly smallest?: Constant; readonly isMean?: boolean },
): Value {
  const resolved = resolvePool2d([1, ...input.shape], options);
  // Its numbers: a record takes those that it has fields for.
  const windows: Pool2dWindows = resolved;
  const output = recorder.value(input.kind, resolved.outputShape.slice(1));
  const channels = channelsOf(input);
  const isSigns = input.kind === 'sign';
  return recorder.step({
    kernel: isSigns ? 'poolSigns' : 'poolReals',
    units: pixelsOf(output),
    cost: (windows.poolHeight * windows.poolWidth * channels) / (isSigns ? 20 : 3),
    fields: {
      ...windows,
      input,
      output,
      channels: isSigns ? Math.ceil(channels / 32) : channels,
      smallest,
      mean: isMean ? 1 : 0,
    },
    reads: [input],
    writes: output,
  });
}
