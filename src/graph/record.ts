/** Recording a model's forward and backward pass into a program. */
import { OptionError } from '../errors.ts';
import { type ProgramBuilder, Tensor } from '../gpu/index.ts';
import type { Activation, Forward, Parameter } from '../layers/index.ts';
import { irreversible } from '../layers/layer.ts';
import type { Quantizer } from '../methods/index.ts';
import type * as operations from '../ops/gradients.ts';
import { scaleInProduct } from '../ops/passes/scale-in-product.ts';
import type { Model, ModelLayer } from './model.ts';

/** A forward pass that was recorded, and how to record the way back. */
export interface RecordedPass {
  /** The first of `outputs`. */
  readonly output: Activation;
  /** In the model's order. */
  readonly outputs: readonly Activation[];
  /** Output of every layer of the model, in its order. */
  readonly activations: readonly Activation[];
  /**
   * Records the backward pass, from the last layer to the first.
   * @param gradOutput f32, gradient with respect to the model's output; of several, one of each, in the order of `outputs`
   * @param onGradient called when the gradient of a parameter is complete and its old value isn't read any more, so an
   *   update may be recorded on the spot; the gradient's memory is free again right after
   */
  backward(
    gradOutput: Tensor | readonly (Tensor | undefined)[],
    onGradient: (parameter: Parameter, gradient: Tensor) => void,
  ): void;
}

export interface RecordOptions {
  readonly training: boolean;
  /** Whether the model may have several outputs. Default false. */
  readonly several?: boolean;
  /** The train state; needed when training. */
  readonly state?: Tensor;
  /** f32 [rows, numbers]: what changes of a quantizer from step to step; needed when training. */
  readonly numbersOf?: (quantizer: Quantizer) => Tensor;
  /** Called when a layer's output was recorded, to record on the spot what reads it. */
  readonly onOutput?: (entry: ModelLayer, output: Activation) => void;
}

/**
 * `recordForward` of a pass that can only be reversed if it is handed the operations for it, of any model.
 * @param inputs f32 [batch, ...shape] of each of the model's inputs
 */
export function recordPass(
  builder: ProgramBuilder,
  model: Model,
  parameters: ReadonlyMap<string, Parameter>,
  inputs: readonly Tensor[],
  options: RecordOptions & { readonly gradients?: typeof operations },
): RecordedPass {
  builder.rewrite(scaleInProduct);
  if (options.training) for (const pass of options.gradients?.TRAINING_PASSES ?? []) builder.rewrite(pass);
  const forwards: Forward[] = [];
  const activations: Activation[] = [];
  const activationOf = (from: number): Activation => {
    const computed = activations[from];
    if (computed !== undefined) return computed;
    const tensor = inputs[-1 - from];
    if (tensor !== undefined) return { kind: 'real', tensor };
    throw new OptionError('A model takes as many tensors as it has inputs.', {
      given: `${inputs.length}`,
      expected: `${model.inputs.length}`,
      where: model.name,
    });
  };
  const trained = reachesParameters(model);

  model.layers.forEach((entry, index) => {
    const { layer, name } = entry;
    const forward = builder.within(name, () =>
      layer.forward(
        {
          builder,
          training: options.training,
          state: options.state,
          stream: index,
          gradients: options.gradients,
          ...(options.numbersOf && { numbersOf: options.numbersOf }),
          wantsInputGradient: entry.inputs.map((from) => from >= 0 && trained[from] === true),
          parameter(parameterName) {
            const parameter = parameters.get(`${name}/${parameterName}`);
            if (parameter === undefined) {
              throw new OptionError('The network lacks a parameter of this layer.', {
                given: parameterName,
                where: name,
              });
            }
            return parameter;
          },
        },
        entry.inputs.map(activationOf),
      ),
    );
    forwards.push(forward);
    activations.push(forward.output);
    options.onOutput?.(entry, forward.output);
  });

  const outputs = model.outputs.map(({ from }) => activationOf(from));
  return {
    output: outputs[0] ?? activationOf(model.layers.length - 1),
    outputs,
    activations,
    backward(gradOutput, onGradient) {
      const add = options.gradients?.add;
      if (add === undefined) throw irreversible(model.name);
      const given = gradOutput instanceof Tensor ? [gradOutput] : gradOutput;
      builder.backwards(() => {
        const gradients: (Tensor | undefined)[] = model.layers.map(() => undefined);
        model.outputs.forEach(({ from }, index) => {
          const own = given[index];
          const sum = gradients[from];
          if (from >= 0 && own !== undefined) gradients[from] = sum ? add(builder, sum, own) : own;
        });
        recordBackward(builder, model.layers, forwards, trained, parameters, gradients, onGradient, add);
      });
    },
  };
}

function recordBackward(
  builder: ProgramBuilder,
  layers: readonly ModelLayer[],
  forwards: readonly Forward[],
  trained: readonly boolean[],
  parameters: ReadonlyMap<string, Parameter>,
  gradients: (Tensor | undefined)[],
  onGradient: (parameter: Parameter, gradient: Tensor) => void,
  add: (typeof operations)['add'],
): void {
  for (let index = layers.length - 1; index >= 0; index--) {
    const entry = layers[index];
    const gradient = gradients[index];
    const forward = forwards[index];
    if (entry === undefined || forward === undefined || gradient === undefined || !trained[index]) continue;
    builder.within(entry.name, () => {
      const backward = forward.backward(gradient);
      entry.inputs.forEach((from, position) => {
        const contribution = backward.inputs[position];
        if (from < 0 || contribution === undefined) return;
        const sum = gradients[from];
        // A value that several layers use gets the sum of what they send back.
        gradients[from] = sum === undefined ? contribution : add(builder, sum, contribution);
      });
      for (const [name, parameterGradient] of Object.entries(backward.parameters ?? {})) {
        const parameter = parameters.get(`${entry.name}/${name}`);
        if (parameter !== undefined) onGradient(parameter, parameterGradient);
      }
    });
  }
}

/** For each layer: whether it, or a layer before it, has something to train or a statistic to keep. */
function reachesParameters(model: Model): boolean[] {
  const reaches: boolean[] = [];
  for (const { parameters, inputs } of model.layers) {
    reaches.push(parameters.length > 0 || inputs.some((from) => reaches[from] === true));
  }
  return reaches;
}
