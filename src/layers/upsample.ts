/** `upsample2d`: larger images of the same pixels. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { concat as concatOp } from '../ops/elementwise.ts';
import { defineLayer } from './define.ts';
import { gradientsOf } from './layer.ts';
import { concat } from './merging.ts';
import { reshape } from './reshaping.ts';

/**
 * Every pixel `factor` times in each direction (Keras `UpSampling2D`, nearest). Input [height, width, channels].
 * @example
 * ```ts
 * import { sequential, upsample2d } from 'webgpu-bnn';
 *
 * sequential([upsample2d({ factor: 2 })], { input: [8, 8, 16] });
 * ```
 */
export const upsample2d = /* @__PURE__ */ defineLayer({
  kind: 'upsample2d',
  options: { factor: { default: 2, from: 1, integer: true, says: 'pixels for one, in each direction' } },
  outputShape([shape], { factor }, name) {
    const [height, width, channels] = shape;
    if (height !== undefined && width !== undefined && channels !== undefined && shape.length === 3) {
      return [factor * height, factor * width, channels];
    }
    throw new ShapeError("The input's shape doesn't fit this layer.", {
      given: describe(shape),
      expected: '[height, width, channels]',
      where: name,
    });
  },
  forward(context, [x], { factor }) {
    const { builder, wantsInputGradient } = context;
    const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    const rows = [batch, height, factor * width * channels];
    const wide = repeated(builder, x, factor).reshape(rows);
    return {
      output: repeated(builder, wide, factor).reshape([batch, factor * height, factor * width, channels]),
      backward(gradOutput) {
        if (!wantsInputGradient[0]) return { inputs: [undefined] };
        const { add, concatGrad } = gradientsOf(context, 'upsample2d');
        const summed = (gradient: Tensor, last: number) =>
          concatGrad(builder, gradient, Array<number>(factor).fill(last)).reduce((sum, part) =>
            add(builder, sum, part),
          );
        const ofRows = summed(
          gradOutput.reshape([batch, height, factor * factor * width * channels]),
          factor * width * channels,
        );
        return { inputs: [summed(ofRows.reshape([batch, height, width, factor * channels]), channels)] };
      },
    };
  },
  traits: ({ factor }) => ({
    parts([shape = []]) {
      const [height = 1, width = 1, channels = 1] = shape;
      return [
        { name: 'columns', layer: concat(), from: Array<number>(factor).fill(-1) },
        { name: 'row', layer: reshape({ shape: [height, 1, factor * width * channels] }) },
        { name: 'rows', layer: concat(), from: Array<number>(factor).fill(1) },
        { layer: reshape({ shape: [factor * height, factor * width, channels] }) },
      ];
    },
  }),
});

/** The same values again and again along the last axis. */
function repeated(builder: ProgramBuilder, x: Tensor, times: number): Tensor {
  return concatOp(builder, Array<Tensor>(times).fill(x));
}
