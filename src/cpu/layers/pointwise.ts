/** Values one by one, by kernels. Arithmetic is that of the shaders, operation by operation in f32. */
import { DEFAULT_EPSILON } from '../../layers/index.ts';
import type { Value } from '../program.ts';
import type { Lower } from './lowering.ts';

export const batchNormalization: Lower = (layer, [input]) => {
  const { recorder, config } = layer;
  const mean = layer.reals('runningMean');
  const epsilon = Math.fround(typeof config.epsilon === 'number' ? config.epsilon : DEFAULT_EPSILON);
  const gamma = layer.has('gamma') ? layer.reals('gamma') : undefined;
  const scale = layer.reals('runningVariance').map((variance, c) => {
    const inverse = Math.fround(1 / Math.fround(Math.sqrt(Math.fround(variance + epsilon))));
    return gamma === undefined ? inverse : inverse * (gamma[c] ?? 1);
  });
  const shift = layer.has('beta') ? layer.reals('beta') : new Float32Array(mean.length);
  return recorder.pointwise('normalize', recorder.reals(input as Value), {
    first: { data: mean },
    second: { data: scale },
    third: { data: shift },
  });
};

export const affine: Lower = (layer, [input]) =>
  layer.recorder.pointwise('affine', layer.recorder.reals(input as Value), {
    first: { data: layer.reals('scale') },
    second: { data: layer.reals('shift') },
  });

/** An affine function of each value: every one is a channel of its own. */
export const elementwiseAffine: Lower = (layer, [input]) => {
  const { recorder, outputShape } = layer;
  const scale = layer.reals('scale');
  const flat = recorder.reshaped(recorder.reals(input as Value), [scale.length]);
  const y = recorder.pointwise('affine', flat, {
    first: { data: scale },
    second: { data: layer.reals('shift') },
  });
  return recorder.reshaped(y, outputShape);
};

export const relu: Lower = ({ recorder, config }, [input]) => {
  const { minimum = 0, maximum = Number.POSITIVE_INFINITY } = config as {
    minimum?: number;
    maximum?: number;
  };
  return recorder.pointwise('clamp', recorder.reals(input as Value), { lowest: minimum, highest: maximum });
};

export const prelu: Lower = (layer, [input]) =>
  layer.recorder.pointwise('prelu', layer.recorder.reals(input as Value), {
    first: { data: layer.reals('alpha') },
  });

export const sign: Lower = ({ recorder }, [input]) => recorder.signs(input as Value);

export const threshold: Lower = (layer, [input]) =>
  layer.recorder.signs(input as Value, {
    direction: { data: layer.reals('direction') },
    threshold: { data: layer.reals('threshold') },
  });

/** The same values, under another shape. */
export const reshaped: Lower = ({ recorder, outputShape }, [input]) =>
  recorder.reshaped(input as Value, outputShape);

/** What does nothing when a network is run. */
export const unchanged: Lower = (_layer, [input]) => input as Value;
