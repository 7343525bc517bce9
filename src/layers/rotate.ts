/** `rotate`: a fixed rotation of the channels, before which and after which signs mean something else. */
import { paddedLength } from '../numerics/rotation.ts';
import { rotateFilters, unrotateFilters } from '../ops/rotation.ts';
import { defineLayer } from './define.ts';

/**
 * R·x with a pseudo-random rotation R of the channels: `rounds` times random signs and a Walsh–Hadamard transform, as
 * `kernelRotation` has it. Channels are padded with zeros to the next power of two. A `quantDense` with binary weights behind it is
 * generalized binarization in its packed form (Anderson & Berg 2018): (Rᵀs)·x = s·(R x), so that the input is rotated once and of the
 * weights only signs stay. `packRotations` makes it of a trained network. Any shape.
 * @example
 * ```ts
 * import { quantDense, rotate, sequential } from 'webgpu-bnn';
 *
 * sequential([rotate({ seed: 7 }), quantDense({ units: 64, kernelQuantizer: 'steSign' })], { input: [100] });
 * ```
 */
export const rotate = /* @__PURE__ */ defineLayer({
  kind: 'rotate',
  options: {
    seed: { default: 0, from: 0, to: 2 ** 32 - 1, integer: true, says: 'which rotation' },
    rounds: { default: 3, from: 1, to: 16, integer: true, says: 'random signs and a transform each' },
  },
  outputShape: ([shape]) => [...shape.slice(0, -1), paddedLength(shape.at(-1) ?? 1)],
  forward({ builder, wantsInputGradient }, [x], rotation) {
    const length = x.shape.at(-1) ?? 1;
    const rows = x.size / length;
    const rotated = rotateFilters(builder, { x: x.reshape([rows, length]), ...rotation });
    return {
      output: rotated.reshape([...x.shape.slice(0, -1), paddedLength(length)]),
      backward(gradOutput) {
        if (!wantsInputGradient[0]) return { inputs: [undefined] };
        const gradient = gradOutput.reshape([rows, paddedLength(length)]);
        return {
          inputs: [unrotateFilters(builder, { x: gradient, length, ...rotation }).reshape(x.shape)],
        };
      },
    };
  },
});
