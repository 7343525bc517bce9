/** Models with several inputs and outputs: made, run, folded and kept in a file, by their names. */
import { describe, expect, test } from 'vitest';
import { toUnitRange } from '../src/data/dataset.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { decodeModel, encodeModel } from '../src/formats/model-file.ts';
import {
  apply,
  foldForInference,
  type GraphNodes,
  initialValues,
  input,
  type Model,
  model,
  Network,
  sequential,
} from '../src/graph/index.ts';
import {
  add,
  batchNormalization,
  dense,
  flatten,
  quantDense,
  relu,
  sign,
  subtract,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { Trainer } from '../src/train/index.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const draw = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => 2 * uniform01(5, stream, i) - 1);

/** a − b, and their sum, rectified. */
function twoByTwo(): Model {
  const [a, b] = [input([2, 3]), input([2, 3])];
  const less = apply(subtract({ name: 'less' }), a, b);
  const sum = apply(relu({ name: 'rectified' }), apply(add(), a, b));
  return model({ input: { a, b }, output: { less, sum } });
}

describe('a network with two inputs and two outputs', () => {
  const gpu = useGpu();

  test('takes lists and names, and gives each output by its name', async () => {
    const network = await Network.create(gpu(), twoByTwo());
    // More than one batch of those that run at once.
    const [a, b] = [draw(6 * 230, 1), draw(6 * 230, 2)];
    const less = a.map((value, i) => value - (b[i] ?? 0));
    const sum = a.map((value, i) => Math.max(0, value + (b[i] ?? 0)));
    for (const samples of [{ a, b }, { b, a }, [a, b], new Map(Object.entries({ a, b }))]) {
      const results = await network.predict(samples);
      expect(Object.keys(results)).toEqual(['less', 'sum']);
      expectSame(results.less ?? [], less);
      expectSame(results.sum ?? [], sum);
    }
    network.dispose();
  });

  test('refuses what does not fit, by name and in typed errors', async () => {
    using network = await Network.create(gpu(), twoByTwo());
    const a = draw(6, 1);
    const one = network.predict(a);
    await expect(one).rejects.toThrow(OptionError);
    await expect(one).rejects.toThrow(/one array[\s\S]*a \[2, 3\], b \[2, 3\][\s\S]*'a': samples/);
    await expect(network.predict({ a, c: a })).rejects.toThrow(/no such input[\s\S]*c/);
    await expect(network.predict({ a })).rejects.toThrow(/missing[\s\S]*b: nothing/);
    await expect(network.predict([a, a, a])).rejects.toThrow(/number 3/);
    await expect(network.predict([a, draw(12, 1)])).rejects.toThrow(/numbers of samples[\s\S]*1, 2/);
    await expect(network.predict([a, draw(7, 1)])).rejects.toThrow(/not whole[\s\S]*: b/);
    await expect(network.predict([a, draw(7, 1)])).rejects.toThrow(ShapeError);
    await expect(network.predict(null as never)).rejects.toThrow(OptionError);
  });

  test('a network with one of each takes a list too', async () => {
    using network = await Network.create(gpu(), sequential([relu()], { input: [2] }));
    const x = Float32Array.of(-1, 2);
    expect(await network.predict([x])).toEqual({ output: Float32Array.of(0, 2) });
    expect(await network.predict({ input: x })).toEqual({ output: Float32Array.of(0, 2) });
    expectSame(await network.predict(x), [0, 2]);
  });

  test('is not trained, and says so', async () => {
    const split = { images: new Uint8Array(6), labels: new Uint8Array(1), count: 1 };
    const data = {
      ...{ name: 'one', classes: ['x', 'y', 'z'], image: [2, 3, 1] as const, train: split, test: split },
      normalise: toUnitRange(1),
    };
    const x = input([2, 3, 1]);
    const scores = apply(dense({ units: 3 }), apply(flatten(), x));
    const two = model({ input: x, output: { scores, rectified: apply(relu(), scores) } });
    const create = Trainer.create(gpu(), two, data, { epochs: 1, batch: 1 });
    await expect(create).rejects.toThrow(OptionError);
    await expect(create).rejects.toThrow(/one input and one output[\s\S]*rectified/);
  });

  test('an output in the middle keeps its values when the rest is folded', async () => {
    const x = input([40]);
    const binary = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
    const sums = apply(quantDense({ units: 33, ...binary }), x);
    const normal = apply(batchNormalization(), sums);
    const scores = apply(batchNormalization(), apply(quantDense({ units: 5, ...binary }), normal));
    const flat = apply(
      flatten(),
      apply(batchNormalization(), apply(quantDense({ units: 7, ...binary }), normal)),
    );
    const last = apply(quantDense({ units: 3, ...binary }), flat);
    const source = model({ input: x, output: { normal, scores, flat, last } });
    const values = initialValues(source, 4);
    const folded = foldForInference(source, values);
    expect(folded.kept.map(({ name }) => name).sort()).toEqual(
      ['batchNormalization_1', 'batchNormalization_2', 'batchNormalization_3'].sort(),
    );
    using before = await Network.create(gpu(), source, { values });
    using after = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
    const samples = [draw(80, 3)];
    const [wanted, got] = [await before.predict(samples), await after.predict(samples)];
    expect(Object.keys(got)).toEqual(['normal', 'scores', 'flat', 'last']);
    for (const [name, value] of Object.entries(wanted)) expectSame(got[name] ?? [], value, name);
  });

  test('comes back from a file with its names', async () => {
    const source = twoByTwo();
    const decoded = decodeModel(encodeModel(source, new Map())).model;
    expect(decoded.inputs).toEqual(source.inputs);
    expect(decoded.outputs).toEqual(source.outputs);
    using network = await Network.create(gpu(), decoded);
    const results = await network.predict([Float32Array.of(1, 2, 3, 4, 5, 6), new Float32Array(6)]);
    expectSame(results.sum ?? [], [1, 2, 3, 4, 5, 6]);
    // What has one of each is written as ever.
    const plain = encodeModel(sequential([relu()], { input: [2] }), new Map());
    expect(new TextDecoder().decode(plain)).not.toContain('outputs');
  });
});

describe('a model of several', () => {
  test('names lists after their layers', () => {
    const [a, b] = [input([2]), input([2])];
    const made = model({
      input: [a, b],
      output: [apply(relu({ name: 'first' }), a), apply(sign(), b)],
    });
    expect(made.inputs.map(({ name }) => name)).toEqual(['input_1', 'input_2']);
    expect(made.outputs).toEqual([
      { name: 'first', shape: [2], from: 0 },
      { name: 'sign_1', shape: [2], from: 1 },
    ]);
    expect(made.summary()).toContain('input_2');
  });

  test('keeps the order of names that are numbers, in files and folded too', () => {
    const nodes = ['10', '2', 'b', '1'].map((name) => [name, input([2])] as const);
    const ends = nodes.map(([name, node]) => [name, apply(relu(), node)] as const);
    const made = model({ input: new Map(nodes), output: new Map(ends) });
    const decoded = decodeModel(encodeModel(made, new Map())).model;
    for (const one of [made, decoded, foldForInference(made, new Map()).model]) {
      expect(one.inputs.map(({ name }) => name)).toEqual(['10', '2', 'b', '1']);
      expect(one.outputs.map(({ name, from }) => `${name} ${from}`)).toEqual(['10 0', '2 1', 'b 2', '1 3']);
    }
  });

  const x = input([2]);
  const made = apply(relu(), x);
  test.each<[string, () => unknown, RegExp]>([
    ['no options', () => model(undefined as never), /no node/],
    ['no output', () => model({ input: x } as never), /output[\s\S]*undefined/],
    ['a list in a list', () => model({ input: x, output: [[made]] as unknown as GraphNodes }), /a list/],
    ['an empty list', () => model({ input: [], output: made }), /none/],
    ['a shape as input', () => model({ input: [2] as never, output: made }), /number/],
    ['an input as output', () => model({ input: x, output: x }), /at least one layer/],
    ['an input as one of the outputs', () => model({ input: x, output: [made, x] }), /at least one layer/],
    ['a layer as input', () => model({ input: made, output: made }), /input\(shape\)/],
    ['an input twice', () => model({ input: [x, x], output: made }), /twice/],
    [
      'an input that is not there',
      () => model({ input: input([3]), output: made }),
      /isn't the model's[\s\S]*\[2\]/,
    ],
    ['an output twice', () => model({ input: x, output: [made, made] }), /same name/],
  ])('%s is refused', (_, make, message) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
});
