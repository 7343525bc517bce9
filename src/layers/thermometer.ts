/** `thermometer`: images as signs, so that the first product is one of signs, too. */
import { concat as concatOp } from '../ops/elementwise.ts';
import { threshold as thresholdOp } from '../ops/inference.ts';
import { defineLayer } from './define.ts';
import { assertInference, perChannel, threshold } from './inference.ts';
import { concat } from './merging.ts';

/**
 * Each value as `levels` signs: sign i is +1 where x ≥ first + i·step (the input layer of FracBNN: Zhang et al. 2020, arXiv
 * 2012.12206, and the code of its authors). The defaults are theirs for pixels in [−1, 1]: sign i is +1 where a pixel of 0 to 255
 * is 8i + 4 at least; theirs rounds ties to even, so that pixels of 16i + 4 have one +1 less. [..., channels] becomes
 * [..., levels·channels], all channels of a level beside each other. It learns nothing and passes no gradient: it is for inputs.
 * @example
 * ```ts
 * import { quantConv2d, sequential, thermometer } from 'webgpu-bnn';
 *
 * const kernelQuantizer = 'steSign';
 * sequential([thermometer(), quantConv2d({ filters: 32, kernelSize: 3, kernelQuantizer })], { input: [32, 32, 3] });
 * ```
 */
export const thermometer = /* @__PURE__ */ defineLayer({
  kind: 'thermometer',
  options: {
    levels: { default: 32, from: 1, integer: true, says: 'signs of a value' },
    first: { default: 3.5 / 127.5 - 1, says: 'the lowest threshold' },
    step: { default: 8 / 127.5, above: 0, says: 'what each threshold is above the one before' },
  },
  outputShape: ([shape], { levels }) => [...shape.slice(0, -1), levels * (shape.at(-1) ?? 1)],
  parameters([shape], { levels, first, step }) {
    const channels = shape.at(-1) ?? 1;
    const values = Array.from(
      { length: levels * channels },
      (_, i) => first + Math.floor(i / channels) * step,
    );
    return perChannel(values.length, { direction: 1, threshold: 0 }).map((spec) =>
      spec.name === 'threshold' ? { ...spec, initializer: { kind: 'rows', values } } : spec,
    );
  },
  forward({ builder, training, parameter, wantsInputGradient }, [x], { levels }) {
    if (wantsInputGradient[0]) assertInference(training, 'thermometer', 'put it before all that learns');
    return {
      output: thresholdOp(builder, concatOp(builder, Array(levels).fill(x)), {
        direction: parameter('direction').value,
        threshold: parameter('threshold').value,
      }),
      backward: () => ({ inputs: [undefined] }),
    };
  },
  traits: ({ levels }) => ({
    output: 'signs',
    parts: () => [{ name: 'levels', layer: concat(), from: Array(levels).fill(-1) }, { layer: threshold() }],
  }),
});
