/** Calls as JavaScript lets them pass: what is missing, or something else, is answered in this library's own errors. */
import { describe, expect, test } from 'vitest';
import * as compare from '../src/compare.ts';
import { exportOnnx } from '../src/formats/onnx.ts';
import { exportTflite } from '../src/formats/tflite/index.ts';
import * as library from '../src/index.ts';
import { defineLoss, defineOptimizer, definePenalty, defineQuantizer } from '../src/methods.ts';
import { requestGpu, saveTraining } from '../src/node/index.ts';
import * as vectors from '../src/vectors.ts';
import { useGpu } from './helpers/gpu.ts';

type Call = (...args: readonly unknown[]) => unknown;

/** What calls throw that is none of our errors, by the call. */
async function strangers(calls: Readonly<Record<string, () => unknown>>): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof library.BnnError)) found[name] = error;
    }
  }
  return found;
}

/** Calls of functions with each of some lists of arguments. */
const callsOf = (functions: Readonly<Record<string, Call>>, ...given: readonly (readonly unknown[])[]) =>
  Object.fromEntries(
    Object.entries(functions).flatMap(([name, call]) =>
      given.map((args) => [`${name}(${args.map((one) => JSON.stringify(one)).join()})`, () => call(...args)]),
    ),
  );

/** Names of what an entry exports to be called without `new`. */
const functionsOf = (module: object) =>
  Object.entries(module).flatMap(([name, one]) =>
    typeof one === 'function' && /^[a-z]/.test(name) ? [name] : [],
  );

/** What pages of workers download as well, where every check weighs: given by this library, and hardly by people. */
const OF_WORKERS = [
  ...['boost', 'entryTexts', 'floatTwin', 'lessonOf', 'modulesOf', 'networkFor'],
  ...['parseEntry', 'planComparison', 'runComparison', 'shareOf', 'voted'],
];

const WRONG = [[], [null], [{}], [[]], ['relu'], [3], [{}, {}, {}], [Promise.resolve(3), 5, 5]];

const named = (module: object, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, (module as Record<string, Call>)[name] as Call]));

test('every layer says what it lacks', async () => {
  const layers = named(library, library.LAYER_KINDS);
  expect(await strangers(callsOf(layers, [], [null], [{}], [[]], ['relu'], [{ name: 3 }]))).toEqual({});
});

test.each(library.MODEL_NAMES)('the network %s says what it lacks', async (name) => {
  const make = named(library, [name]);
  const lists = [...WRONG, [{ input: 784, classes: 10 }], [{ input: [28, 28, 1] }]];
  expect(await strangers(callsOf(make, ...lists))).toEqual({});
  for (const args of lists) expect(() => (make[name] as Call)(...args)).toThrow(library.BnnError);
});

test('a chain says what is no layer', async () => {
  const chain = library.sequential as Call;
  expect(() => chain([library.flatten], { input: [8] })).toThrow(
    /nothing to be the layer[\s\S]*call it: flatten\(\)/,
  );
  expect(() => chain([undefined], { input: [8] })).toThrow(/nothing to be the layer[\s\S]*undefined/);
  expect(() => chain(library.flatten(), library.relu())).toThrow(/This is not the layers/);
  expect(() => chain([library.flatten()], { input: 8 })).toThrow(/nothing to be the shape[\s\S]*8/);
  const calls = { sequential: chain, apply: library.apply as Call, input: library.input as Call };
  expect(await strangers(callsOf(calls, ...WRONG, [[null], { input: [8] }], [[3], { input: [-1] }]))).toEqual(
    {},
  );
});

test('every function for comparisons says what it lacks', async () => {
  const functions = named(
    compare,
    functionsOf(compare).filter((name) => !OF_WORKERS.includes(name)),
  );
  expect(await strangers(callsOf(functions, ...WRONG))).toEqual({});
  const takesOptions = [
    'cyclicBits',
    'expectedSigns',
    'lateClip',
    'progressiveSigns',
    'spela',
    'stableSigns',
    'turnToSigns',
  ];
  for (const name of takesOptions)
    expect(() => functions[name]?.({ frmo: 1 })).toThrow(/no option of this name/);
  const weights = { units: 1, kernel: [0.5, -0.2, 0.7], recurrentKernel: [0.1, 0.3, -0.4], bias: [0, 0, 0] };
  const gru = compare.memoizedGru as Call;
  expect(() => gru(weights)).toThrow(/nothing to be the sequence/);
  expect(() => gru({ ...weights, bias: undefined }, [0.9], 0.5)).toThrow(/nothing to be the bias/);
  expect(() => gru(weights, [0.9], '0.5')).toThrow(/threshold/);
  expect(() => (compare.memoizedShare as Call)([1, 2], '0.5')).toThrow(/threshold/);
});

test('a training is saved of a trainer', async () => {
  const save = saveTraining as (...args: readonly unknown[]) => Promise<unknown>;
  for (const args of [[], [{}, 'y.onnx'], [Promise.resolve(3), 'y.onnx']]) {
    await expect(save(...args)).rejects.toBeInstanceOf(library.OptionError);
  }
});

test('samples are of a data set', async () => {
  const functions = named(library, ['samplesOf', 'takeFirst', 'residentPart', 'testAccuracy']);
  expect(await strangers(callsOf(functions, ...WRONG))).toEqual({});
  expect(() => (library.takeFirst as Call)(Promise.resolve({}), 5, 5)).toThrow(/await this promise/);
});

test('functions of networks say that there is no network, or no values', async () => {
  const model = library.mlp({ input: [4], classes: 2, units: 8 });
  const functions = {
    ...named(library, [
      'foldForInference',
      'fuseLayers',
      'unfoldForTraining',
      'packRotations',
      'encodeModel',
    ]),
    ...{ exportOnnx: exportOnnx as Call, exportTflite: exportTflite as Call },
    ...named(library, ['encodeBnnPynq']),
  };
  const alone = named(library, ['initialValues']);
  const wrong = [[], [null], [{}], [[]], [{ model }], [Promise.resolve(model)]];
  expect(await strangers(callsOf({ ...functions, ...alone }, ...wrong, [{ model }, new Map()]))).toEqual({});
  expect(await strangers(callsOf(functions, [model], [model, null]))).toEqual({});
  expect(() => library.packRotations(model, undefined as never)).toThrow(/nothing to be the values/);
  expect(() => library.packRotations(model, {} as never)).toThrow(/This is not the values/);
  expect(() => library.foldForInference({ model, format: 'onnx' } as never, new Map())).toThrow(
    /nothing to be its layers/,
  );
});

test('what holds a network is none, and the error names where it lies', async () => {
  const gpu = await requestGpu();
  const model = library.mlp({ input: [4], classes: 2, units: 8 });
  const network = await library.Network.create(gpu, model);
  const samples = new Float32Array(4);
  const functions = named(compare, [
    'openGates',
    'rankForHybrid',
    'overlapsByDepth',
    'overlapAgainstFlips',
    'measurePredictors',
  ]);
  for (const call of Object.values(functions)) {
    await expect(call({ network }, samples, samples)).rejects.toThrow(/trainer\.network/);
  }
  expect(
    await strangers(callsOf(functions, [network], [network, null], [network, {}], [network, samples])),
  ).toEqual({});
  network.dispose();
  gpu.dispose();
});

describe('vectors', () => {
  const gpu = useGpu();

  test('on the GPU, lists and nothing are no tensors', async () => {
    const b = new vectors.ProgramBuilder(gpu(), 'nothing is right');
    const bits = vectors.itemMemory(b, { rows: 3, bits: 40, seed: 1 });
    const names = [
      'bind',
      'bundle',
      'negate',
      'rotate',
      'nearest',
      'binaryMatMul',
      'itemMemory',
      'levelMemory',
    ];
    const functions = named(vectors, names);
    expect(await strangers(callsOf(functions, [b], [b, null], [b, [1, 2]], [b, {}, {}]))).toEqual({});
    expect(await strangers(callsOf(functions, [[], []], [{}]))).toEqual({});
    expect(() => vectors.bundle(b, bits, { seed: 1, weights: [1, 2, 3] as never })).toThrow(
      /1,2,3: no tensor[\s\S]*i32/,
    );
    expect(() => vectors.bind(bits as never, bits, undefined as never)).toThrow(library.ShapeError);
  });

  test('on the processor', async () => {
    const functions = named(vectors, ['meanOf', 'signsOf', 'bindWords', 'bundleWords']);
    expect(await strangers(callsOf(functions, [], [null], [{}], [[]]))).toEqual({});
  });
});

test('names that are none are refused as such', async () => {
  const functions = named(library, ['modelByName', 'resolveLoss', 'resolveQuantizer']);
  expect(await strangers(callsOf(functions, [null], [{}], [3]))).toEqual({});
  expect(() => compare.comparisonJobs({ methods: 'steSign' as never })).toThrow(/is a list/);
});

test('a misspelt member that a definition needs is named', () => {
  const wgsl = 'fn gradient(x: f32) -> f32 { return 1.0; }';
  const base = { formula: '1', source: 'this test' };
  const of = (define: unknown, definition: object) => () => (define as Call)({ ...base, ...definition });
  expect(of(defineQuantizer, { name: 'a', wgsl, gradiant: () => 1 })).toThrow(/mean gradient by gradiant\?/);
  expect(of(defineQuantizer, { nmae: 'a', wgsl, gradient: () => 1 })).toThrow(/mean name by nmae\?/);
  expect(of(defineLoss, { name: 'a', wgls: 'x', twin: () => 1 })).toThrow(/mean wgsl by wgls\?/);
  expect(
    of(definePenalty, {
      name: 'a',
      wgsl: 'fn penalized(w: f32, g: f32) -> f32 { return g; }',
      twni: () => 1,
    }),
  ).toThrow(/mean twin by twni\?/);
  expect(of(defineOptimizer, { Name: 'a', wgsl })).toThrow(/mean name by Name\?/);
});
