/** `maxout`: a slope of its own on either side of zero. */
import { LARGEST_F32, slopes } from '../ops/pointwise.ts';
import { defineLayer } from './define.ts';
import { affine } from './inference.ts';
import { gradientsOf, type ParameterSpec } from './layer.ts';
import { add } from './merging.ts';
import { relu } from './nonlinearities.ts';

/**
 * above·relu(x) − below·relu(−x), both slopes of its channel and learned: `above` from 1, `below` from 0.25 (AdaBin's Maxout: Tu
 * et al. 2022, arXiv 2208.08084); any shape.
 * @example
 * ```ts
 * import { maxout, sequential } from 'webgpu-bnn';
 *
 * sequential([maxout()], { input: [8, 8, 16] });
 * ```
 */
export const maxout = /* @__PURE__ */ defineLayer({
  kind: 'maxout',
  outputShape: ([shape]) => shape,
  parameters: ([shape]) => {
    const channels = shape.at(-1) ?? 1;
    const spec = (name: string, value: number): ParameterSpec => ({
      ...{ name, shape: [channels], role: 'real', fanIn: 1, fanOut: channels },
      initializer: { kind: 'constant', value },
    });
    return [spec('above', 1), spec('below', 0.25)];
  },
  forward(context, [x]) {
    const { builder, parameter } = context;
    const own = { above: parameter('above').value, below: parameter('below').value };
    return {
      output: slopes(builder, x, own),
      backward(gradOutput) {
        const { gradInput, ...parameters } = gradientsOf(context, 'maxout').slopesGrad(
          builder,
          gradOutput,
          x,
          own,
        );
        return { inputs: [gradInput], parameters };
      },
    };
  },
  traits: {
    parts: () => [
      { name: 'positive', layer: relu() },
      { name: 'above', layer: affine(), parameters: { scale: 'above', shift: 0 } },
      { name: 'negative', layer: relu({ minimum: -LARGEST_F32, maximum: 0 }), from: [-1] },
      { name: 'below', layer: affine(), parameters: { scale: 'below', shift: 0 } },
      { layer: add(), from: [1, 3] },
    ],
  },
});
