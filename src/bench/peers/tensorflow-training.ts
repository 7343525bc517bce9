/** One of this library's models as TensorFlow.js operations: signs are floats, with straight-through gradients. */
import { OptionError } from '../../errors.ts';
import type { Gpu } from '../../gpu/index.ts';
import { initialValues, type Model } from '../../graph/index.ts';
import { modelByName } from '../../zoo/index.ts';
import { timing } from '../measure.ts';
import { imageOf, noise, normalised } from '../noise.ts';
import { type BothWays, outputsLast, type PeerTraining, type TrainingTask } from './peer.ts';
import type { TensorFlow, TfTensor, TfVariable } from './tensorflow-parts.ts';

/** Running statistics are left out, in the peer's favour. */
export async function trainTensorFlow(
  gpu: Gpu,
  tf: TensorFlow,
  task: TrainingTask,
  steps: number,
): Promise<PeerTraining> {
  const { model, images, targets } = batchOf(task);
  const network = networkOf(tf, model, task.seed);
  const x = tf.tensor(images, [task.batch, ...model.inputShape]);
  const t = tf.tensor(targets, [task.batch, ...model.outputShape]);
  const optimizer = tf.train.adam(task.learningRate, 0.9, 0.999, 1e-8);
  const variables = [...network.variables.values()];
  try {
    const losses: number[] = [];
    const times: number[] = [];
    for (let step = 0; step <= steps; step++) {
      const start = performance.now();
      const loss = tf.tidy(() => {
        const cost = optimizer.minimize(
          () => tf.mean(tf.square(tf.relu(tf.sub(1, tf.mul(t, network.forward(x)))))),
          true,
          variables,
        );
        for (const variable of network.latent) variable.assign(tf.clipByValue(variable, -1, 1));
        return cost;
      });
      if (loss !== null) losses.push((await gpu.orLost(loss.data()))[0] ?? Number.NaN);
      loss?.dispose();
      // The first step compiles.
      if (step > 0) times.push(performance.now() - start);
    }
    return { step: timing(times), losses };
  } finally {
    for (const tensor of [x, t, ...variables]) tensor.dispose();
    optimizer.dispose();
  }
}

/** The same step by layers of `webgpu-bnn/tfjs`, by turns in this library's kernels and in TensorFlow.js' own operations. */
export async function trainBothWays(task: TrainingTask, steps: number): Promise<BothWays> {
  // A step of a large network takes a software adapter half a minute.
  const warmUp = task.model === 'binarynet' ? 1 : 2;
  // Loaded when it is needed, since TensorFlow.js may be missing.
  const { compareTraining } = await import('../../interop/tfjs/index.ts');
  const { model, images, targets } = batchOf(task);
  const { batch, seed, learningRate } = task;
  const result = await compareTraining(model, images, targets, { batch, steps, warmUp, seed, learningRate });
  const summary = ({ times, losses }: typeof result.with) => ({ step: timing(times), losses });
  return { with: summary(result.with), without: summary(result.without) };
}

/** Images [batch, ...image] as reals, and targets [batch, classes] of ±1. */
function batchOf({ model: name, batch }: TrainingTask) {
  const data = noise(name, batch, 1);
  const classes = data.classes.length;
  const targets = new Float32Array(batch * classes).fill(-1);
  data.train.labels.forEach((label, row) => {
    targets[row * classes + label] = 1;
  });
  const model = modelByName(name, { input: imageOf(name), classes });
  return { model, images: normalised(data), targets };
}

function networkOf(tf: TensorFlow, model: Model, seed: number) {
  const values = initialValues(model, seed);
  const variables = new Map<string, TfVariable>();
  const latent: TfVariable[] = [];
  const sign = tf.customGrad((x, save) => {
    save([x]);
    return {
      value: signsWhere(tf, tf.less(x, 0)),
      // Straight through where |x| is at most 1.
      gradFunc: (dy, [saved = x]) => tf.mul(dy, tf.cast(tf.lessEqual(tf.abs(saved), 1), 'float32')),
    };
  });

  for (const { name, layer, parameters } of model.layers) {
    for (const { name: parameter, role, shape } of parameters) {
      const drawn = values.get(`${name}/${parameter}`);
      if (drawn === undefined || role === 'statistic') continue;
      const [outputs = 1, ...rest] = shape;
      const made =
        layer.kind === 'quantConv2d'
          ? tf.tensor(outputsLast(drawn, outputs), [...rest, outputs])
          : tf.tensor(drawn, shape);
      const variable = tf.variable(made, true, `${name}/${parameter}`);
      made.dispose();
      variables.set(`${name}/${parameter}`, variable);
      if (role === 'binary') latent.push(variable);
    }
  }

  const parameterOf = (name: string): TfVariable => {
    const variable = variables.get(name);
    if (variable === undefined)
      throw new OptionError('The model lacks a parameter.', { given: name, where: model.name });
    return variable;
  };
  const forward = (input: TfTensor): TfTensor => {
    let x = input;
    for (const { name, layer, parameters } of model.layers) {
      const { kind, config } = layer;
      const has = (parameter: string) => parameters.some((entry) => entry.name === parameter);
      const binarized = () => (config.inputQuantizer === undefined ? x : sign(x));
      const kernel = () => sign(parameterOf(`${name}/kernel`));
      switch (kind) {
        case 'flatten':
          x = tf.reshape(x, [x.shape[0] ?? 1, -1]);
          break;
        case 'quantDense':
          x = tf.matMul(binarized(), kernel(), false, true);
          break;
        case 'quantConv2d':
          x = tf.conv2d(binarized(), kernel(), 1, config.padding === 'same' ? 'same' : 'valid');
          break;
        case 'maxPool2d':
          x = tf.maxPool(x, Number(config.poolSize), Number(config.poolSize), 'valid');
          break;
        case 'batchNormalization': {
          const axes = x.shape.slice(0, -1).map((_, axis) => axis);
          const centred = tf.sub(x as TfTensor, tf.mean(x, axes));
          const variance = tf.mean(tf.square(centred), axes);
          const epsilon = typeof config.epsilon === 'number' ? config.epsilon : 1e-4;
          x = tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon)));
          if (has('gamma')) x = tf.mul(x, parameterOf(`${name}/gamma`));
          if (has('beta')) x = tf.add(x, parameterOf(`${name}/beta`));
          break;
        }
        default:
          throw new OptionError('This layer has no form in TensorFlow.js here.', {
            given: kind,
            where: name,
          });
      }
    }
    return x;
  };
  return { variables, latent, forward };
}

/** +1 where a condition is false and −1 where it holds. */
function signsWhere(tf: TensorFlow, condition: TfTensor): TfTensor {
  return tf.sub(1, tf.mul(tf.cast(condition, 'float32'), 2));
}
