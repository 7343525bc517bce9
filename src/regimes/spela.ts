/**
 * SPELA: each layer learns from its own loss, and nothing goes back from one to another. The vector of each class is fixed, in
 * every layer: a layer's outputs turn towards it. A network of it is an ordinary model whose gradients stop between layers; its
 * outputs are those of all layers in a row, and its loss is a sum of one for each.
 *
 *   const { model, loss, accuracy } = spela({ input: [28, 28, 1], units: [1000, 34], classes: 10 });
 *   const trainer = await Trainer.create(gpu, model, data, { loss, optimizer: 'sgd', learningRate: 0.01 });
 *   await trainer.fit();
 *   accuracy(await trainer.predict(samples), labels);
 */
import { OptionError } from '../errors.ts';
import { apply, type GraphNode, input, type Model, model as makeModel } from '../graph/index.ts';
import { concat, defineLayer, flatten, leakyRelu, quantDense } from '../layers/index.ts';
import { defineLoss, type Loss, type LossRow, type QuantizerLike } from '../methods/index.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';

/** Sizes of a network whose layers learn each by itself. */
export interface SpelaOptions {
  /** Shape of a sample. */
  readonly input: readonly number[];
  /** Of each layer, at least as many as there are classes. */
  readonly units: readonly number[];
  /** How many classes there are, each with a vector for every layer. */
  readonly classes: number;
  /** Of weights. Default `steSign`; `none` for real ones. */
  readonly kernelQuantizer?: QuantizerLike | 'none';
}

/** A network whose layers learn each by itself, and what trains and reads it. */
export interface Spela {
  /** Its only output is that of all layers, one after another. */
  readonly model: Model;
  /** Of all layers, each compared with the vectors of the classes. */
  readonly loss: Loss;
  /** Classes of samples by the last layer. @param outputs of the model, f32 [samples, all units] */
  predict(outputs: ArrayLike<number>): number[];
  /** Share of the samples whose class is right. */
  accuracy(outputs: ArrayLike<number>, labels: ArrayLike<number>): number;
}

/** Hands its input on, and no gradient back. */
const stop = /* @__PURE__ */ defineLayer({
  kind: 'spela.stop',
  outputShape: ([shape]) => shape,
  forward: (_, [x]) => ({ output: x, backward: () => ({ inputs: [undefined] }) }),
});

/**
 * A network, its loss, and how its outputs are read.
 *
 * SPELA (2024): training with a single forward pass. h_k = σ(W_k h_{k-1}) and
 * loss_k = -cos(h_k, e_k[label]). Here the vectors of classes are corners of a regular simplex, the farthest apart that there
 * are: of unit j it is 1 - 1/C where j mod C is the class, and -1/C elsewhere. σ is a leaky relu, which their text leaves
 * open, and there are no biases: what flows in need not be normalised then, since neither cos nor its gradient with respect to
 * W_k changes with its length.
 * @throws OptionError for a layer with fewer units than classes
 */
export function spela(options: SpelaOptions): Spela {
  assertKnownOptions(
    options,
    namesOf<SpelaOptions>({ input: true, units: true, classes: true, kernelQuantizer: true }),
    'spela',
  );
  const { input: shape, units, classes, kernelQuantizer = 'steSign' } = options;
  assertPresent(units, 'the units', 'spela', 'length');
  const few = units.find((count) => !Number.isSafeInteger(count) || count < classes);
  if (units.length === 0 || few !== undefined || !(classes >= 2)) {
    throw new OptionError('Each layer has a unit for each class, or more.', {
      given: `units ${units.join(', ')}, ${classes} classes`,
      where: 'spela',
    });
  }
  const start = input(shape);
  const outputs: GraphNode[] = [];
  let flow = apply(flatten(), start);
  for (const [index, count] of units.entries()) {
    const weights = kernelQuantizer === 'none' ? {} : { kernelQuantizer };
    const dense = quantDense({ name: `dense${index + 1}`, units: count, ...weights });
    const made = apply(leakyRelu({ name: `relu${index + 1}`, alpha: SLOPE }), apply(dense, flow));
    outputs.push(made);
    flow = apply(stop({ name: `stop${index + 1}` }), made);
  }
  const output = outputs.length === 1 ? outputs[0] : apply(concat({ name: 'layers' }), ...outputs);
  const all = units.reduce((sum, count) => sum + count, 0);
  const last = all - (units.at(-1) ?? 0);
  const predict = (values: ArrayLike<number>) =>
    Array.from({ length: values.length / all }, (_, sample) => {
      const scores = new Array<number>(classes).fill(0);
      for (let j = last; j < all; j++) {
        const own = (j - last) % classes;
        scores[own] = (scores[own] ?? 0) + (values[sample * all + j] ?? 0);
      }
      // Vectors of classes with more units are longer.
      const cosines = scores.map((score, c) => cosineTo(score, scores, c, all - last, classes));
      return cosines.indexOf(Math.max(...cosines));
    });
  return {
    model: makeModel({ input: start, output: output as GraphNode, name: 'spela' }),
    loss: spelaLoss(units, classes),
    predict,
    accuracy(values, labels) {
      const found = predict(values);
      return found.filter((label, i) => label === labels[i]).length / found.length;
    },
  };
}

const SLOPE = 0.01;

/** Σ h e over the length of e; the length of h is the same for all classes. */
function cosineTo(own: number, scores: readonly number[], c: number, units: number, classes: number): number {
  const total = scores.reduce((sum, score) => sum + score, 0);
  return (own - total / classes) / Math.sqrt(lengthOf(c, units, classes));
}

/** Squared length of the vector of a class. */
function lengthOf(c: number, units: number, classes: number): number {
  const own = Math.floor((units - 1 - c) / classes) + 1;
  return own * (1 - 1 / classes) ** 2 + (units - own) / classes ** 2;
}

/** The sum of -cos of each layer's outputs and its vector of the label. */
export function spelaLoss(units: readonly number[], classes: number): Loss {
  assertPresent(units, 'the units', 'spelaLoss', 'length');
  return defineLoss({
    name: 'spela',
    formula:
      'Σ over layers of -cos(h, e[label]); e of unit j is 1 - 1/C where j mod C is the label, else -1/C',
    source: 'SPELA 2024; vectors of classes here are corners of a regular simplex',
    targets: ['classes'],
    madeFor: { outputs: units.reduce((sum, count) => sum + count, 0), classes },
    wgsl: `
      const LAYERS = ${units.length}u;
      const UNITS = array<u32, LAYERS>(${units.map((count) => `${count}u`).join(', ')});
      const CLASSES = ${classes}u;
      fn entry(j: u32, label: u32) -> f32 {
        return select(0.0, 1.0, j % CLASSES == label) - 1.0 / f32(CLASSES);
      }
      fn row_loss(row: Row) -> f32 {
        var label = 0u;
        for (var c = 0u; c < CLASSES; c++) {
          if (wanted(row, c) > 0.5) {
            label = c;
          }
        }
        var loss = 0.0;
        var first = 0u;
        for (var k = 0u; k < LAYERS; k++) {
          let count = UNITS[k];
          var sums = vec3f(); // of h², h e, e²
          for (var j = 0u; j < count; j++) {
            let h = output(row, first + j);
            let e = entry(j, label);
            sums += vec3f(h * h, h * e, e * e);
          }
          let size = sqrt(sums.x * sums.z);
          let cosine = select(0.0, sums.y / size, sums.x > 0.0);
          for (var j = 0u; j < count; j++) {
            let h = output(row, first + j);
            let slope = select(0.0, cosine * h / sums.x - entry(j, label) / size, sums.x > 0.0);
            set_gradient(row, first + j, slope / row.rows);
          }
          loss -= cosine;
          first += count;
        }
        return loss;
      }`,
    twin: (row) => twin(row, units, classes),
  })();
}

function twin({ outputs, wanted }: LossRow, units: readonly number[], classes: number) {
  const label = wanted.slice(0, classes).findLastIndex((value) => value > 0.5);
  let loss = 0;
  let first = 0;
  const gradient: number[] = [];
  for (const count of units) {
    const h = outputs.slice(first, first + count);
    const e = h.map((_, j) => (j % classes === Math.max(0, label) ? 1 : 0) - 1 / classes);
    const squares = h.reduce((sum, value) => sum + value * value, 0);
    const size = Math.sqrt(squares * e.reduce((sum, value) => sum + value * value, 0));
    const cosine = squares > 0 ? h.reduce((sum, value, j) => sum + value * (e[j] ?? 0), 0) / size : 0;
    gradient.push(
      ...h.map((value, j) => (squares > 0 ? (cosine * value) / squares - (e[j] ?? 0) / size : 0)),
    );
    loss -= cosine;
    first += count;
  }
  return { loss, gradient };
}
