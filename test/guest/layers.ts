/** Layers of an outsider: one by its definition, one as a class. */
import {
  type Activation,
  asReal,
  defineLayer,
  type ForwardContext,
  type Layer,
  ops,
  type Shape,
  type Tensor,
} from 'webgpu-bnn';

/** The sign of what lies above a threshold that is learned, one a channel (RSign of ReActNet, Liu et al. 2020). */
export const shiftedSign = defineLayer({
  kind: 'acme.shiftedSign',
  options: {
    start: { default: 0, says: 'the shift before training' },
    quantizer: { quantizer: true, says: 'what gradient passes' },
  },
  outputShape: ([shape]) => shape,
  parameters: ([shape], { start }) => {
    const channels = shape.at(-1) ?? 1;
    const initializer = { kind: 'constant', value: start } as const;
    return [{ name: 'shift', shape: [channels], role: 'real', initializer, fanIn: 1, fanOut: channels }];
  },
  forward({ builder, training, parameter, wantsInputGradient }, [x], { quantizer }) {
    const shifted = ops.addBias(builder, x, parameter('shift').value);
    const { bits, gate } = training
      ? ops.binarize(builder, shifted, quantizer)
      : { bits: ops.packSigns(builder, shifted) };
    return {
      output: bits,
      backward(gradOutput) {
        const kept = gate === undefined ? { x: shifted } : { gate };
        const gradient = ops.binarizeGrad(builder, gradOutput, { quantizer, ...kept });
        return {
          inputs: [wantsInputGradient[0] ? gradient : undefined],
          parameters: { shift: ops.biasGrad(builder, gradient) },
        };
      },
    };
  },
  traits: { output: 'signs' },
});

/** Numbers between two limits, as a class with private fields whose configuration is a getter. */
export class Clip implements Layer {
  static readonly kind = 'acme.clip';
  readonly kind = Clip.kind;
  readonly name: string | undefined;
  readonly #limit: number;

  constructor({ limit, name }: { readonly limit: number; readonly name?: string }) {
    this.#limit = limit;
    this.name = name;
  }

  get config() {
    return { limit: this.#limit };
  }

  outputShape(inputs: readonly Shape[]): Shape {
    return inputs[0] ?? [];
  }

  parameters() {
    return [];
  }

  forward({ builder, wantsInputGradient }: ForwardContext, [input]: readonly Activation[]) {
    if (input === undefined) throw new Error('no input');
    const bounds = { minimum: -this.#limit, maximum: this.#limit };
    const x = asReal(builder, input);
    return {
      output: { kind: 'real', tensor: ops.clamp(builder, x, bounds) } as const,
      backward: (gradOutput: Tensor) => ({
        inputs: [wantsInputGradient[0] ? ops.clampGrad(builder, gradOutput, x, bounds) : undefined],
      }),
    };
  }
}
