/** `rPReLU`: a PReLU whose corner moves. */
import { addBias, biasGrad } from '../ops/elementwise.ts';
import { prelu as preluOp } from '../ops/pointwise.ts';
import { defineLayer } from './define.ts';
import { affine } from './inference.ts';
import { gradientsOf, type ParameterSpec } from './layer.ts';
import { prelu } from './nonlinearities.ts';

/**
 * PReLU(x + shiftIn) + shiftOut, all of its channel and learned: `shiftIn` and `shiftOut` from 0, the slope `alpha` from 0.25
 * (ReActNet's RPReLU: Liu et al. 2020, arXiv 2003.03488, with both shifts added); any shape.
 * @example
 * ```ts
 * import { rPReLU, sequential } from 'webgpu-bnn';
 *
 * sequential([rPReLU()], { input: [8, 8, 16] });
 * ```
 */
export const rPReLU = /* @__PURE__ */ defineLayer({
  kind: 'rPReLU',
  outputShape: ([shape]) => shape,
  parameters: ([shape]) => {
    const channels = shape.at(-1) ?? 1;
    const spec = (name: string, value: number): ParameterSpec => ({
      ...{ name, shape: [channels], role: 'real', fanIn: 1, fanOut: channels },
      initializer: { kind: 'constant', value },
    });
    return [spec('shiftIn', 0), spec('alpha', 0.25), spec('shiftOut', 0)];
  },
  forward(context, [x]) {
    const { builder, parameter, wantsInputGradient } = context;
    const alpha = parameter('alpha').value;
    const moved = addBias(builder, x, parameter('shiftIn').value);
    return {
      output: addBias(builder, preluOp(builder, moved, alpha), parameter('shiftOut').value),
      backward(gradOutput) {
        const shiftOut = biasGrad(builder, gradOutput);
        const { preluGrad } = gradientsOf(context, 'rPReLU');
        const { gradInput, gradAlpha } = preluGrad(builder, gradOutput, moved, alpha);
        return {
          inputs: [wantsInputGradient[0] ? gradInput : undefined],
          parameters: { shiftIn: biasGrad(builder, gradInput), alpha: gradAlpha, shiftOut },
        };
      },
    };
  },
  traits: {
    parts: () => [
      { name: 'in', layer: affine(), parameters: { scale: 1, shift: 'shiftIn' } },
      { layer: prelu() },
      { name: 'out', layer: affine(), parameters: { scale: 1, shift: 'shiftOut' } },
    ],
  },
});
