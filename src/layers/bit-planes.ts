/** `bitPlanes`: bytes as the signs of their bits, so that the first product is one of signs, too. */
import type { Tensor } from '../gpu/index.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { concat as concatOp, constant } from '../ops/elementwise.ts';
import { combine } from '../ops/pointwise.ts';
import { defineLayer } from './define.ts';
import { affine, assertInference } from './inference.ts';
import type { LayerPart } from './layer.ts';
import { concat, subtract } from './merging.ts';
import { sign } from './plain.ts';

/**
 * Each byte as the `bits` signs of its bits, the highest first (Vorabbi et al. 2023, of which the abstract was at hand): a byte less
 * 127.5 is the sum of its signs, the highest 64 and each next half as much. What comes in are bytes as networks take them,
 * (byte − 127.5) / scale. [..., channels] becomes [..., bits·channels], all channels of a bit beside each other. Theirs has a binary
 * depthwise convolution of each plane, which is reweighted: a `quantDepthwiseConv2d` behind it, whose `batchNormalization` learns what
 * each counts. It learns nothing itself and passes no gradient: it is for inputs.
 * @example
 * ```ts
 * import { batchNormalization, bitPlanes, quantDepthwiseConv2d, sequential } from 'webgpu-bnn';
 *
 * const planes = quantDepthwiseConv2d({ kernelSize: 3, depthwiseQuantizer: 'steSign' });
 * sequential([bitPlanes(), planes, batchNormalization()], { input: [32, 32, 3] });
 * ```
 */
export const bitPlanes = /* @__PURE__ */ defineLayer({
  kind: 'bitPlanes',
  options: {
    bits: { default: 8, from: 1, to: 8, integer: true, says: 'bits that are kept, the highest ones' },
    scale: { default: 127.5, above: 0, says: 'what a value is multiplied by, for the byte less 127.5' },
  },
  outputShape: ([shape], { bits }) => [...shape.slice(0, -1), bits * (shape.at(-1) ?? 1)],
  forward({ builder, training, wantsInputGradient }, [x], { bits, scale }) {
    if (wantsInputGradient[0]) assertInference(training, 'bitPlanes', 'put it before all that learns');
    const channels = x.shape.at(-1) ?? 1;
    const times = (factor: number, of: Tensor) => combine(builder, 'multiply', constant(builder, factor), of);
    const rests = [times(scale, x.reshape([x.size / channels, channels]))];
    for (let plane = 1; plane < bits; plane++) {
      const last = rests[plane - 1] as Tensor;
      const taken = times(weightOf(plane - 1), unpackSigns(builder, packSigns(builder, last)));
      rests.push(combine(builder, 'subtract', last, taken));
    }
    const planes = packSigns(builder, concatOp(builder, rests));
    return {
      output: planes.reshape([...x.shape.slice(0, -1), bits * channels]),
      backward: () => ({ inputs: [undefined] }),
    };
  },
  traits: ({ bits, scale }) => ({
    output: 'signs',
    parts: () => {
      const scaled = (name: string, factor: number, from: number): LayerPart => ({
        ...{ name, layer: affine(), from: [from], parameters: { scale: factor, shift: 0 } },
      });
      const parts: LayerPart[] = [scaled('rest0', scale, -1)];
      const rests = [0];
      for (let plane = 1; plane < bits; plane++) {
        const last = rests.at(-1) ?? 0;
        const at = parts.length;
        parts.push({ name: `sign${plane}`, layer: sign(), from: [last] });
        parts.push(scaled(`taken${plane}`, weightOf(plane - 1), at));
        parts.push({ name: `rest${plane}`, layer: subtract(), from: [last, at + 1] });
        rests.push(at + 2);
      }
      return [...parts, { name: 'rests', layer: concat(), from: rests }, { layer: sign() }];
    },
  }),
});

/** What a sign is worth of a byte less 127.5. @param plane from 0, the highest bit */
const weightOf = (plane: number) => 2 ** (6 - plane);
