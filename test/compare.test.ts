/** Comparisons: entries, the matrix, networks with other quantizers, jobs that fail or are stopped, and the command. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ComparisonStore,
  comparedMethods,
  comparisonJobs,
  entryTexts,
  floatTwin,
  type JobProgress,
  type JobResult,
  lessonOf,
  modulesOf,
  networkFor,
  overSeeds,
  parseEntry,
  planComparison,
  runComparison,
} from '../src/compare/index.ts';
import { samplesOf } from '../src/data/index.ts';
import { MemoryPlanError, OptionError } from '../src/errors.ts';
import { checkpointValues, saveModel } from '../src/formats/index.ts';
import { initialValues, type Model, Network, sequential } from '../src/graph/index.ts';
import { flatten, quantDense, quantGatedConv2d, sign } from '../src/layers/index.ts';
import { defineOptimizer } from '../src/methods/index.ts';
import { teacherCosine } from '../src/methods/losses/teacher-cosine.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { Trainer } from '../src/train/index.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { bump, pull } from './guest/methods.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { quadrants } from './helpers/data.ts';
import { useGpu } from './helpers/gpu.ts';

/** It trains, and fails when it is to round the weights at the end. */
const stumbling = defineOptimizer({
  name: 'stumbling',
  formula: 'w <- w - rate g',
  source: 'this test',
  wgsl: `
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane { return w - scalars.rate * g; }`,
  twin: ({ w, g, scalars: { rate = 0 } }) => w - rate * g,
  forward: 'value',
  finish: () => {
    throw new RangeError('I can not round these');
  },
});

describe('entries', () => {
  test('a list is parted at commas, but not in brackets', () => {
    expect(entryTexts('steSign, irNet+sgd(momentum=0.5) ,,reActSign')).toEqual([
      'steSign',
      'irNet+sgd(momentum=0.5)',
      'reActSign',
    ]);
    expect(entryTexts('steSign(clip=1|1.3)+lr=0.1:0.01|0.02, irNet | bop')).toEqual([
      ...['steSign(clip=1)+lr=0.1:0.01', 'steSign(clip=1)+lr=0.02'],
      ...['steSign(clip=1.3)+lr=0.1:0.01', 'steSign(clip=1.3)+lr=0.02', 'irNet', 'bop'],
    ]);
    expect(modulesOf(['steSign', './my files/a.js#x+sgd', 'weights:./my files/a.js', 'b.mjs'])).toEqual([
      './my files/a.js',
      'b.mjs',
    ]);
  });

  test('a quantizer changes what it is for, and what its place says', () => {
    const roles = (text: string) => {
      const { weights, inputs, optimizer, penalty, loss } = parseEntry(text);
      return [weights, inputs, optimizer, penalty, loss].map((method) => method?.name);
    };
    expect(roles('approxSign')).toEqual(['approxSign', 'approxSign', undefined, undefined, undefined]);
    expect(roles('irNet')).toEqual(['irNet', undefined, undefined, undefined, undefined]);
    expect(roles('doReFa')).toEqual([undefined, 'doReFa', undefined, undefined, undefined]);
    expect(roles('stochasticSign')[1]).toBe('stochasticSign');
    expect(roles('weights:approxSign')).toEqual(['approxSign', undefined, undefined, undefined, undefined]);
    expect(roles('approxSign+irNet+sgd+towardsSigns+crossEntropy')).toEqual([
      ...['irNet', 'approxSign', 'sgd', 'towardsSigns', 'crossEntropy'],
    ]);
    expect(parseEntry('steSign(clip=1.3)').weights?.parameters).toEqual({ clip: 1.3 });
    expect(parseEntry('irNet(steepness=0.1:10)').weights?.parameters.steepness).toEqual({
      ...{ from: 0.1, to: 10, decay: 'exponential' },
    });
    expect(parseEntry('sgd+lr=0.1:0.01').learningRate).toEqual({ from: 0.1, to: 0.01, decay: 'exponential' });
    expect(parseEntry('float')).toEqual({ text: 'float', float: true });
  });

  test('a loss with a teacher has the float twin, or a file', () => {
    expect(parseEntry('distillation')).toMatchObject({ loss: { name: 'distillation' }, teacher: 'float' });
    const file = parseEntry('distillation(teacher=./my nets/a+b=c.onnx, share=0.5)+irNet');
    expect(file.teacher).toBe('./my nets/a+b=c.onnx');
    expect(file.loss?.parameters).toMatchObject({ share: 0.5 });
    // What compares inner layers stands beside the loss of the labels.
    const both = parseEntry('teacherCosine(teacher=float)+crossEntropy');
    expect([both.loss?.name, both.inner?.name, both.teacher]).toEqual([
      ...['crossEntropy', 'teacherCosine', 'float'],
    ]);
    expect(parseEntry('crossEntropy').teacher).toBeUndefined();
  });

  test('a module gives one method of each kind, or the one that is named', () => {
    const guests = new Map([
      ['./mine.js', { bump, again: bump, pull, other: 1 }],
      ['./two.js', { bump, wide: bump({ width: 2 }) }],
      ['./none.js', { other: 1 }],
      ['./one.js', { bump }],
      ['./my own.mjs', { bump, pull }],
    ]);
    const mine = parseEntry('./mine.js+sgd', guests);
    expect([mine.weights?.name, mine.inputs?.name, mine.penalty?.name, mine.optimizer?.name]).toEqual([
      ...['acmeBump', 'acmeBump', 'acmePull', 'sgd'],
    ]);
    expect(parseEntry('inputs:./two.js#wide', guests).inputs?.parameters).toEqual({ width: 2 });
    expect(parseEntry('weights:./my own.mjs#bump(width=2)+lr=0.1', guests).weights?.parameters).toEqual({
      width: 2,
    });
    expect(parseEntry('./one.js(width=3)', guests).inputs?.parameters).toEqual({ width: 3 });
    expect(modulesOf(['./one.js(width=3)+sgd'])).toEqual(['./one.js']);
    expect(() => parseEntry('./one.js(widht=3)', guests)).toThrow(/did you mean width/);
    expect(() => parseEntry('./mine.js(width=3)', guests)).toThrow(
      /name one of them: \.\/mine\.js#bump\(width=3\)/,
    );
    expect(() => parseEntry('./two.js#wide(width=3)', guests)).toThrow(/one factory/);
    expect(() => parseEntry('./one.js(width=3,width=4)', guests)).toThrow(/stands twice/);
    const wrong = (definition: object) =>
      new Map([['./wrong.js', { bump: { ...bump(), definition: { name: 'bump', ...definition } } }]]);
    for (const [definition, words] of [
      [{ surogate: Math.abs }, /quantizer bump[\s\S]*did you mean surrogate/],
      [{ row: { strait: true } }, /quantizer bump: row[\s\S]*did you mean straight/],
      [{ learned: { per: 'tensor', nubmers: {} } }, /did you mean numbers/],
      [{ learned: { per: 'tenser', numbers: {} } }, /per: tenser[\s\S]*tensor, channel/],
      [{ learned: { per: 'tensor', numbers: { a: { strat: 1 } } } }, /did you mean start/],
      [{ parameters: { a: { defualt: 1 } } }, /did you mean default/],
    ] as const) {
      expect(() => parseEntry('./wrong.js', wrong(definition))).toThrow(words);
    }
    expect(() => parseEntry('./two.js', guests)).toThrow(/more than one quantizer[\s\S]*\.\/two\.js#bump/);
    expect(() => parseEntry('./two.js#narrow', guests)).toThrow(/no method of this name[\s\S]*bump, wide/);
    expect(() => parseEntry('./none.js', guests)).toThrow(/exports no method/);
    expect(() => parseEntry('./absent.js', guests)).toThrow(/not handed in/);
  });

  test.each([
    ['bop+adam', /change the same thing[\s\S]*bop and adam, for optimizer/],
    ['irNet+adaBin', /irNet and adaBin, for weights/],
    ['bop+weightDecay', /pulls at latent weights, and this optimizer has none/],
    ['irNett', /no method of this name[\s\S]*did you mean irNet\?/],
    ['steSign(clp=1)', /no option of this name[\s\S]*did you mean clip\?/],
    ['steSign(clip=0)', /more than 0/],
    ['steSign(clip=wide)', /is a number/],
    ['weights:sgd', /have quantizers[\s\S]*leave weights: away/],
    ['weights:reActSign', /isn't for weights/],
    ['steSign(teacher=float)', /of a loss that compares with one/],
    ['distillation(teacher=)', /distillation\(teacher=float\)/],
    ['distillation(share=2)', /share/],
    ['distillation(teacher=./a.onnx)+teacherCosine', /has one teacher[\s\S]*\.\/a\.onnx, float/],
    ['lr=1:2:3', /two as in/],
    ['lr=fast', /is a number/],
  ])('%s is refused', (text, expected) => {
    expect(() => parseEntry(text)).toThrow(OptionError);
    expect(() => parseEntry(text)).toThrow(expected);
  });
});

describe('networks', () => {
  const model = mlp({ input: [8, 8, 1], classes: 4, units: 16 });
  const configs = ({ layers }: Model): Readonly<Record<string, unknown>>[] =>
    layers.map(({ name, layer: { config } }) => ({ ...config, name }));

  test('other quantizers stand where the network has quantizers, and nowhere else', async () => {
    const changed = await networkFor(model, parseEntry('irNet+approxSign'));
    expect(configs(changed).map(({ kernelQuantizer }) => kernelQuantizer)).toEqual([
      ...[undefined, 'irNet', undefined, 'irNet', undefined, 'irNet', undefined],
    ]);
    expect(configs(changed).map(({ inputQuantizer }) => inputQuantizer)).toEqual([
      ...[undefined, undefined, undefined, 'approxSign', undefined, 'approxSign', undefined],
    ]);
    expect(configs(changed).map(({ name }) => name)).toEqual(configs(model).map(({ name }) => name));
    expect(await networkFor(model, parseEntry('sgd'))).toBe(model);
    const signs = sequential([flatten(), quantDense({ units: 4, kernelQuantizer: 'steSign' }), sign()], {
      input: [4, 4],
    });
    const own = await networkFor(signs, parseEntry('swishSign'));
    expect(own.layers.at(-1)?.layer.config.quantizer).toBe('swishSign');
  });

  test('the float twin has real weights, and a relu in place of every sign', async () => {
    const twin = await floatTwin(model);
    expect(twin.layers.map(({ layer }) => layer.kind)).toEqual([
      ...['flatten', 'quantDense', 'batchNormalization', 'relu', 'quantDense', 'batchNormalization', 'relu'],
      ...['quantDense', 'batchNormalization'],
    ]);
    const roles = twin.layers.flatMap(({ parameters }) => parameters.map(({ role }) => role));
    expect(roles).not.toContain('binary');
    const kernels = (of: Model) =>
      of.layers.flatMap(({ parameters }) =>
        parameters.filter(({ name }) => name === 'kernel').map(({ shape }) => shape),
      );
    expect(kernels(twin)).toEqual(kernels(model));
    await expect(floatTwin(twin)).rejects.toThrow(/it quantizes nothing/);
  });

  test('the float twin of a gated convolution has no gates: they choose between bits', async () => {
    const gated = quantGatedConv2d({ filters: 2, kernelSize: 3, strides: 2, kernelQuantizer: 'steSign' });
    const { layers } = await floatTwin(sequential([gated], { input: [5, 5, 1] }));
    expect(layers.map(({ layer }) => layer.kind)).toEqual(['relu', 'quantConv2d']);
    expect(layers[1]?.parameters.map(({ name }) => name)).toEqual(['kernel']);
    expect(layers[1]?.outputShape).toEqual([2, 2, 2]);
  });

  test('a quantizer on a network without such layers is refused', async () => {
    const real = sequential([flatten(), quantDense({ units: 4, kernelQuantizer: 'steSign' })], {
      input: [4, 4],
    });
    await expect(networkFor(real, parseEntry('inputs:approxSign'))).rejects.toThrow(
      /No layer of this network quantizes its inputs/,
    );
  });
});

/** Mean cosine of rows. */
function meanCosine(a: Float32Array, b: Float32Array, width: number): number {
  const rows = a.length / width;
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  const cosines = Array.from({ length: rows }, (_, row) => {
    const [x, y] = [a, b].map((all) => all.subarray(row * width, (row + 1) * width)) as [
      Float32Array,
      Float32Array,
    ];
    return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
  });
  return cosines.reduce((sum, one) => sum + one, 0) / rows;
}

describe('the matrix', () => {
  const gpu = useGpu();
  const data = quadrants(400, 100);
  const model = mlp({ input: data.image, classes: 4, units: 32 });
  const options = { seeds: [1, 2], epochs: 2, batch: 50 };
  const place = () => ({ gpu: gpu(), model, data });

  /** A store in memory; what it keeps is JSON, as in a file. */
  function memory(): ComparisonStore & {
    results: Map<string, string>;
    progressed: Map<string, JobProgress>;
  } {
    const results = new Map<string, string>();
    const progressed = new Map<string, JobProgress>();
    return {
      ...{ results, progressed },
      result: async (id) => JSON.parse(results.get(id) ?? 'null') ?? undefined,
      keepResult: async (result) => void results.set(result.job.id, JSON.stringify(result)),
      progress: async (id) => progressed.get(id),
      keepProgress: async (id, progress) =>
        void progressed.set(id, { ...progress, epochs: [...progress.epochs] }),
      dropProgress: async (id) => void progressed.delete(id),
    };
  }

  /** What follows from the seed, without times. */
  const facts = (results: readonly JobResult[]) =>
    results.map((result) =>
      result.state === 'failed'
        ? { id: result.job.id, error: result.error.name }
        : {
            id: result.job.id,
            weights: result.weightsSha256,
            epochs: result.epochs.map(({ seconds: _, ...epoch }) => epoch),
            r: result.r,
          },
    );

  test('jobs are plain JSON, seed after seed, with names that files can have', () => {
    const jobs = comparisonJobs(
      { methods: ['steSign', './a b.js#c+sgd'], seeds: [3, 4], float: true },
      new Map([['./a b.js', { c: bump }]]),
    );
    expect(JSON.parse(JSON.stringify(jobs))).toEqual(jobs);
    expect(jobs.map(({ id }) => id)).toEqual([
      ...['01-steSign-seed3', '02-a-b-js-c-sgd-seed3', '03-float-seed3'],
      ...['01-steSign-seed4', '02-a-b-js-c-sgd-seed4', '03-float-seed4'],
    ]);
    expect(() => comparisonJobs({ methods: ['sgd', 'bop', 'sgd'] })).toThrow(
      /A method is compared once[\s\S]*sgd/,
    );
    expect(() => comparisonJobs({ methods: ['sgd'], seeds: [1, 1] })).toThrow(/A seed is compared once/);
    expect(() => comparisonJobs({ methods: [] })).toThrow(/at least one method/);
    expect(() => comparisonJobs({ methods: ['sgd'], epoch: 3 } as never)).toThrow(/did you mean epochs\?/);
  });

  test('its memory is counted before anything runs, and a limit refuses it', async () => {
    const before = gpu().memory.bytes;
    const jobs = comparisonJobs({ ...options, methods: ['sgd', 'adam'], float: true });
    const planned = await planComparison(gpu(), model, data, jobs);
    expect(planned.map(({ method }) => method)).toEqual(['sgd', 'adam', 'float']);
    const [sgd, adam] = planned;
    expect(adam?.plan.optimizer).toBeGreaterThan(sgd?.plan.optimizer ?? 0);
    const most = (sgd?.plan.peakBytes ?? 0) + 1;
    await expect(planComparison(gpu(), model, data, jobs, { most })).rejects.toThrow(MemoryPlanError);
    await expect(planComparison(gpu(), model, data, jobs, { most })).rejects.toThrow(/method adam/);
    expect(gpu().memory.bytes).toBe(before);
  });

  test('a method that fails in the middle costs nothing but itself, and what is measured is complete', async () => {
    const guests = new Map([['./bad.js', { stumbling }]]);
    const jobs = comparisonJobs({ ...options, methods: ['steSign', './bad.js', 'bop'], float: true }, guests);
    await planComparison(gpu(), model, data, jobs, { guests });
    const store = memory();
    const results = await runComparison(place(), jobs, store, { guests });
    expect(results.map(({ state }) => state)).toEqual([
      ...['done', 'failed', 'done', 'done', 'done', 'failed', 'done', 'done'],
    ]);
    expect(results[1]).toMatchObject({
      error: { name: 'RangeError', message: 'I can not round these' },
    });
    // One epoch had come to its end.
    expect(results[1]?.epochs).toHaveLength(1);
    expect(store.progressed.size).toBe(0);

    const [steSign, bad, bop, float] = comparedMethods(results);
    expect(bad).toMatchObject({ method: './bad.js', done: 0, failed: 2, error: { name: 'RangeError' } });
    for (const method of [steSign, bop]) {
      expect(method).toMatchObject({ done: 2, failed: 0, bitsPerWeight: 1 });
      expect(method?.layers.map(({ name }) => name)).toEqual(['dense1', 'dense2', 'dense3']);
      for (const { angle, r } of method?.layers ?? []) {
        expect(angle).toBeGreaterThanOrEqual(0);
        expect(r).toBeGreaterThan(0.5);
      }
      expect(method?.flips).toBeGreaterThan(0);
      expect(method?.accuracy.mean).toBeGreaterThan(0.5);
      expect(method?.curve).toHaveLength(2);
      expect(method?.curve.at(-1)).toEqual(method?.accuracy);
    }
    // Bop has no latent weights but signs: they are their own.
    expect(bop?.layers.every(({ angle }) => Math.abs(angle) < 0.1)).toBe(true);
    expect(float).toMatchObject({ bitsPerWeight: 32, layers: [], operations: { binary: 0 } });
    expect(float?.bytes).toBeGreaterThan(4 * (64 * 32 + 32 * 32 + 32 * 4));
    expect(steSign?.bytes).toBeLessThan(float?.bytes ?? 0);
    // Seeds differ, and the order of the data is the same for all methods: so is a run of one's own.
    const alone = await runComparison(place(), jobs.slice(0, 1), memory());
    expect(facts(alone)).toEqual(facts(results).slice(0, 1));
  });

  test('stopped anywhere and gone on with, it comes to the same bits; what failed is tried again', async () => {
    const jobs = comparisonJobs({ ...options, seeds: [5], methods: ['steSign', 'bop'] });
    const whole = facts(await runComparison(place(), jobs, memory()));
    const store = memory();
    const controller = new AbortController();
    const first = await runComparison(place(), jobs, store, {
      signal: controller.signal,
      onSteps: ({ method }, { step }) => {
        if (method === 'bop' && step >= 3) controller.abort();
      },
    });
    expect(first).toHaveLength(1);
    const stopped = store.progressed.get(jobs[1]?.id ?? '');
    expect(stopped?.checkpoint.progress.step).toBeGreaterThan(0);
    expect(stopped?.checkpoint.progress.step).toBeLessThan(16);
    const begun: string[] = [];
    const rest = await runComparison(place(), jobs, store, {
      onJob: ({ method }) => void begun.push(method),
    });
    expect(begun).toEqual(['bop']);
    expect(facts(rest)).toEqual(whole);
    // A result that failed before is none.
    const [one] = rest;
    if (one === undefined) throw new Error('no result');
    await store.keepResult({ job: one.job, state: 'failed', epochs: [], error: { name: 'x', message: 'y' } });
    expect(facts(await runComparison(place(), jobs, store))).toEqual(whole);
  });

  describe('teachers', () => {
    const jobs = comparisonJobs({
      ...{ seeds: [7], epochs: 2, batch: 50 },
      methods: ['teacherCosine', 'steSign', 'distillation(share=0.5)'],
    });

    test('the float twin is trained first, and what it learned teaches; stopped and resumed to the same bits', async () => {
      expect(jobs.map(({ id, teacher }) => [id, teacher])).toEqual([
        ['01-float-seed7', undefined],
        ['02-teacherCosine-seed7', '01-float-seed7'],
        ['03-steSign-seed7', undefined],
        ['04-distillation-share-0-5-seed7', '01-float-seed7'],
      ]);
      const planned = await planComparison(gpu(), model, data, jobs);
      const [, , steSign, distilled] = planned.map(({ plan }) => plan);
      expect(distilled?.parameters).toBeGreaterThan((steSign?.parameters ?? 0) + 4 * 64 * 32);

      const before = gpu().memory.bytes;
      const store = memory();
      const results = await runComparison(place(), jobs, store);
      const errors = results.map((result) => (result.state === 'failed' ? result.error : undefined));
      expect(errors).toEqual(results.map(() => undefined));
      expect(gpu().memory.bytes).toBe(before);
      // What the teacher learned is kept, for students that fail and are tried again; nothing else is.
      expect([...store.progressed.keys()]).toEqual(['01-float-seed7']);

      // The same by hand.
      const twin = await floatTwin(model);
      const checkpoint = store.progressed.get('01-float-seed7')?.checkpoint;
      using teacher = await Network.create(gpu(), twin, {
        values: checkpointValues(checkpoint as JobProgress['checkpoint'], twin),
      });
      expect(await teacher.hash()).toBe(results[0]?.state === 'done' && results[0].weightsSha256);
      using alone = await Trainer.create(gpu(), model, data, {
        ...{ batch: 50, epochs: 2, seed: 7, teacher },
        loss: { name: 'distillation', share: 0.5 },
      });
      await alone.fit();
      expect(await alone.network.hash()).toBe(results[3]?.state === 'done' && results[3].weightsSha256);

      const controller = new AbortController();
      const parts = memory();
      await runComparison(place(), jobs, parts, {
        signal: controller.signal,
        onSteps: ({ method }, { step }) => {
          if (method.startsWith('distillation') && step >= 3) controller.abort();
        },
      });
      expect(parts.progressed.size).toBe(2);
      expect(facts(await runComparison(place(), jobs, parts))).toEqual(facts(results));
      // A store that keeps no progress has no teacher: it is trained again, to the same bits.
      const forgetful = { ...memory(), progress: async () => undefined };
      expect(facts(await runComparison(place(), jobs.slice(3), forgetful))).toEqual(facts(results.slice(3)));
    });

    test('inner layers turn towards the same layers of the teacher', async () => {
      const entry = parseEntry('teacherCosine');
      const lesson = await lessonOf(model, entry, new Map(), data.normalise);
      expect(lesson.inner).toEqual(['norm1', 'norm2']);
      for (const made of [lesson.student, lesson.teacher]) {
        expect(made?.outputs.map(({ name, shape }) => [name, shape.join()])).toEqual([
          [model.outputs[0]?.name, '4'],
          ['norm1', '32'],
          ['norm2', '32'],
        ]);
      }
      const conv = cnn({ input: [28, 28, 1], classes: 4 });
      const flat = await lessonOf(conv, entry);
      expect(flat.student.outputs.map(({ shape }) => shape.length)).toEqual(
        flat.student.outputs.map(() => 1),
      );

      const twin = lesson.teacher as Model;
      using teacher = await Network.create(gpu(), twin, { seed: 1 });
      const cosines: number[] = [];
      for (const losses of [
        [{ loss: 'crossEntropy' }],
        [
          { loss: 'crossEntropy' },
          { loss: teacherCosine(), output: 'norm1' },
          { loss: teacherCosine(), output: 'norm2' },
        ],
      ] as const) {
        using trainer = await Trainer.create(gpu(), lesson.student, data, {
          ...{ batch: 50, epochs: 3, seed: 2, teacher, losses },
        });
        const { history } = trainer.progress;
        expect(history).toEqual([]);
        await trainer.fit();
        const { loss } = await trainer.evaluate();
        const samples = samplesOf(data, 'test', { count: 100 });
        const own = await trainer.network.predict({ [trainer.network.model.inputs[0]?.name ?? '']: samples });
        const theirs = await teacher.predict({ [twin.inputs[0]?.name ?? '']: samples });
        expect(loss).toBeGreaterThan(0);
        cosines.push(meanCosine(own.norm1 as Float32Array, theirs.norm1 as Float32Array, 32));
      }
      const [without = 0, taught = 0] = cosines;
      expect(taught).toBeGreaterThan(without + 0.1);
    });

    test('a file that teaches is of the same samples, and has the layers that it teaches', async () => {
      const values = initialValues(model, 1);
      const other = mlp({ input: [4, 4, 1], classes: 4, units: 8 });
      const plain = sequential([flatten(), quantDense({ name: 'only', units: 4 })], { input: data.image });
      const teachers = new Map([
        ['./other.onnx', { model: other, values: initialValues(other, 1) }],
        ['./plain.onnx', { model: plain, values: initialValues(plain, 1) }],
        ['./bytes.onnx', { model, values, pixels: { scale: [1 / 255], shift: [0] } }],
      ]);
      const asked = (text: string) => lessonOf(model, parseEntry(text), teachers, data.normalise);
      await expect(asked('distillation(teacher=./none.onnx)')).rejects.toThrow(/was not handed in/);
      await expect(asked('distillation(teacher=./other.onnx)')).rejects.toThrow(/takes the samples/);
      await expect(asked('distillation(teacher=./bytes.onnx)')).rejects.toThrow(
        /takes pixels as its student/,
      );
      await expect(asked('teacherCosine(teacher=./plain.onnx)')).rejects.toThrow(/lacks a layer[\s\S]*norm1/);
      expect((await asked('distillation(teacher=./plain.onnx)')).values?.has('only/kernel')).toBe(true);
      await expect(
        lessonOf(plain, parseEntry('teacherCosine(teacher=./plain.onnx)'), teachers),
      ).rejects.toThrow(/signs of no inner layer/);
    });
  });

  test('mean and deviation over seeds', () => {
    expect(overSeeds([1, 2, 6])).toEqual({ mean: 3, sd: Math.sqrt(7) });
    expect(overSeeds([2]).sd).toBeNaN();
  });
});

describe('webgpu-bnn compare', () => {
  let cli = '';
  const folder = mkdtempSync(join(tmpdir(), 'compare of mine '));
  beforeAll(async () => {
    cli = await buildCli();
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const SMALL = ['--train-samples', '200', '--test-samples', '100', '--model', 'tfc', '--batch', '50'];

  test('compares, is stopped by Ctrl-C, goes on to the same weights, and says what failed', async () => {
    const module = join(folder, 'mine.mjs');
    const entry = pathToFileURL(join(dirname(cli), 'methods.js')).href;
    writeFileSync(
      module,
      `import { defineLoss } from ${JSON.stringify(entry)};
      export const wrong = defineLoss({ name: 'wrong', formula: '0', source: 'this test',
        wgsl: 'fn row_loss(row: Row) -> f32 { return nothing; }', twin: () => ({ loss: 0, gradient: [] }) });`,
    );
    const run = (out: string, ...more: string[]) => [
      ...[
        'compare',
        '--methods',
        `steSign,approxSign,${module}`,
        '--seeds',
        '1,2',
        '--epochs',
        '2',
        ...SMALL,
      ],
      ...['--out', join(folder, out), ...more],
    ];
    const whole = await runCli(cli, run('whole', '--json', join(folder, 'whole.json')));
    expect(whole.stderr).toBe('');
    expect(whole.code).toBe(1);
    expect(whole.stdout).toMatch(/matrix {4}3 methods x 2 seeds x 2 epochs/);
    expect(whole.stdout).toMatch(/│ steSign +│ +\d+\.\d\d ± \d+\.\d\d %/);
    expect(whole.stdout).toMatch(/mine\.mjs failed 2 times/);
    const json = JSON.parse(readFileSync(join(folder, 'whole.json'), 'utf8'));
    expect(json.methods.map(({ done, failed }: { done: number; failed: number }) => [done, failed])).toEqual([
      ...[
        [2, 0],
        [2, 0],
        [0, 2],
      ],
    ]);

    let kills = 0;
    const stopped = await runCli(cli, run('parts'), {
      onOutput: (kill, printed) => {
        if (/1\/6 /.test(printed) && kills++ === 0) kill('SIGINT');
      },
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toContain(`webgpu-bnn compare --resume ${join(folder, 'parts')}`);
    const rest = await runCli(cli, ['compare', '--resume', join(folder, 'parts'), '--json', '-']);
    expect(rest.code).toBe(1);
    const hashes = ({ results }: { results: readonly { weightsSha256?: string }[] }) =>
      results.map(({ weightsSha256 }) => weightsSha256);
    expect(hashes(JSON.parse(rest.stdout))).toEqual(hashes(json));
    expect(hashes(json).filter((hash) => hash !== undefined)).toHaveLength(4);
    expect(readdirSync(join(folder, 'parts')).sort()).toEqual(['comparison.json', 'results']);

    // Nothing is written over, and other options are refused.
    const again = await runCli(cli, run('whole'));
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--resume');
    const other = await runCli(cli, ['compare', '--resume', join(folder, 'parts'), '--epochs', '3']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/leave --epochs away/);
  }, 240_000);

  test('learns from a file, and from the float twin, which is an entry then', async () => {
    const file = join(folder, 'wide teacher.safetensors');
    const teacher = mlp({ input: [28, 28, 1], classes: 10, units: 16 });
    writeFileSync(file, await saveModel('safetensors', teacher, initialValues(teacher, 1)));
    const methods = `distillation(teacher=${file}, share=0.5),distillation`;
    const html = join(folder, 'taught.html');
    const given = ['compare', '--methods', methods, '--seeds', '1', '--epochs', '1', ...SMALL];
    const narrow = ['--model', 'mlp', '--model-options', 'units=16'];
    const made = await runCli(cli, [...given, ...narrow, '--out', join(folder, 'taught'), '--html', html]);
    const kept = JSON.parse(readFileSync(join(folder, 'taught', 'comparison.json'), 'utf8'));
    expect(kept.modelOptions).toEqual({ units: 16 });
    const wider = ['compare', '--resume', join(folder, 'taught'), '--model-options', 'units=24'];
    expect((await runCli(cli, wider)).stderr).toMatch(/leave --model-options away/);
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/matrix {4}3 methods x 1 seed x 1 epoch\n/);
    expect(made.stdout).toMatch(/1\/3 {2}float, seed 1[\s\S]*2\/3 {2}distillation\(teacher=.*wide teacher/);
    expect(readFileSync(html, 'utf8')).toContain('KL(softmax(teacher / T)');
    const missing = await runCli(cli, [
      ...['compare', '--methods', 'distillation(teacher=./no such.onnx)', ...SMALL],
      ...['--out', join(folder, 'none')],
    ]);
    expect(missing.stderr).toMatch(/no such model[\s\S]*no such\.onnx/);
  });

  test('compares, and makes ensembles, on a network of a person, whose file is needed once', {
    timeout: 120_000,
  }, async () => {
    const file = join(folder, 'my net.mjs');
    const entry = pathToFileURL(join(dirname(cli), 'index.js')).href;
    writeFileSync(
      file,
      `import { batchNormalization, flatten, quantDense, sequential } from ${JSON.stringify(entry)};
      const signs = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' };
      export default ({ input, classes }) => sequential(
        [flatten(), quantDense({ units: classes, ...signs }), batchNormalization()], { input });`,
    );
    const out = join(folder, 'own net');
    const few = ['--train-samples', '200', '--test-samples', '100', '--batch', '50', '--epochs', '1'];
    const given = ['compare', '--methods', 'approxSign', '--seeds', '1', ...few, '--out', out];
    const optional = await runCli(cli, [...given, '--model', file, '--model-options', 'units=3']);
    expect(optional.stderr).toMatch(/Only ready-made networks have options/);
    const queued = await runCli(cli, [...given, '--model', file, '--nats', 'nats://localhost:1']);
    expect(queued.stderr).toMatch(/Workers make ready-made networks/);
    expect(existsSync(out)).toBe(false);

    const made = await runCli(cli, [...given, '--model', file]);
    expect({ stderr: made.stderr, code: made.code }).toEqual({ stderr: '', code: 0 });
    const kept = readFileSync(join(out, 'comparison.json'), 'utf8');
    expect(JSON.parse(kept)).toMatchObject({ model: 'my-net', description: { layers: expect.any(Array) } });
    expect(kept).not.toContain(folder);

    const members = ['ensemble', '--members', '2', ...few, '--model', file];
    expect((await runCli(cli, members)).stdout).toMatch(/together, soft vote/);

    rmSync(file);
    rmSync(join(out, 'results'), { recursive: true });
    const again = await runCli(cli, ['compare', '--resume', out]);
    expect(again.stderr).toBe('');
    const row = /approxSign +│ +[\d.]+ %/;
    expect(again.stdout).toContain(row.exec(made.stdout)?.[0] ?? 'no row');
    const other = await runCli(cli, ['compare', '--resume', out, '--model', 'tfc']);
    expect(other.stderr).toMatch(/leave --model away/);
  });

  test('compares on a table of a person, and goes on only with the same one', {
    timeout: 120_000,
  }, async () => {
    const rows = Array.from({ length: 120 }, (_, i) => {
      const [a, b] = [uniform01(70, 0, i), uniform01(71, 0, i)];
      return `${a},${b},${a > b ? 'left' : 'right'}`;
    });
    const table = (name: string, lines: readonly string[]) => {
      writeFileSync(join(folder, name), `a,b,side\n${lines.join('\n')}\n`);
      return join(folder, name);
    };
    const own = table('sides of it.csv', rows);
    const out = join(folder, 'own');
    const given = [
      '--methods',
      'steSign',
      '--seeds',
      '1',
      '--epochs',
      '30',
      '--batch',
      '8',
      '--model',
      'tfc',
    ];
    const made = await runCli(cli, ['compare', ...given, '--dataset', own, '--label', 'side', '--out', out]);
    expect(made.stderr).toBe('');
    expect(made.stdout).toMatch(/96 training and 24 test samples of 2; 2 classes: left, right/);
    // Half is chance.
    expect(Number(/steSign +│ +([\d.]+) %/.exec(made.stdout)?.[1])).toBeGreaterThan(70);
    expect(readFileSync(join(out, 'comparison.json'), 'utf8')).not.toContain(folder);

    const listed = await runCli(cli, ['runs', folder]);
    expect(listed.stdout).toContain(`${out}: a comparison on sides-of-it, tfc: 1 method, 1 seed, 30 epochs`);
    expect(/│ steSign +│ +([\d.]+ %) │ +1 │ +0 │/.exec(listed.stdout)?.[1]).toBe(
      /steSign +│ +([\d.]+ %)/.exec(made.stdout)?.[1],
    );
    for (const [command, ...more] of [
      ...[['train', '--resume'], ['eval'], ['report'], ['paper'], ['geometry'], ['inspect']],
      ...[
        ['export', '/page'],
        ['convert', '/x.onnx'],
        ['run', '--input', 'x.png'],
      ],
    ]) {
      const after = more.map((one) => (one.startsWith('/') ? join(folder, one) : one));
      const args = command === 'train' ? [...after, out] : [out, ...after];
      const { code, stderr } = await runCli(cli, [command ?? '', ...args]);
      expect([command, code]).toEqual([command, 1]);
      expect(stderr).toContain('holds a comparison');
      expect(stderr).toContain(`compare --resume ${out}`);
    }
    const resume = ['compare', '--resume', out];
    expect((await runCli(cli, resume)).stderr).toMatch(/say where they lie: --dataset PATH/);
    const other = table('other.csv', rows.toReversed());
    expect((await runCli(cli, [...resume, '--dataset', other])).stderr).toMatch(/goes on with the data/);
    const again = await runCli(cli, [...resume, '--dataset', own]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain(/steSign.*/.exec(made.stdout)?.[0] ?? 'no row');
    const regression = ['--dataset', own, '--label', 'a', '--regression', '--out', join(folder, 'none')];
    expect((await runCli(cli, ['compare', ...given, ...regression])).stderr).toMatch(/right class/);
  });

  test.each([
    ['nothing to compare', [], /--methods steSign,irNet,bop/],
    ['an unknown method', ['--methods', 'steSign,bopp'], /did you mean bop\?/],
    ['an open bracket', ['--methods', 'steSign(clip=1,irNet'], /not closed[\s\S]*steSign\(clip=1,irNet/],
    ['a module that is not there', ['--methods', './absent.js'], /no such module/],
    ['too little memory', ['--methods', 'steSign', '--memory-limit', '1MB', ...SMALL], /nothing was run/],
    ['a folder without a comparison', ['--resume', 'empty'], /no comparison here[\s\S]*--out .*empty/],
    ['a run', ['--resume', 'run'], /no comparison here[\s\S]*train --resume .*run/],
    ['a matrix that is malformed', ['--resume', 'bad'], /description of the comparison is malformed/],
  ])('%s is refused before anything runs', (_, args, expected) => {
    const bad = join(folder, 'bad');
    spawnSync('mkdir', ['-p', bad]);
    writeFileSync(join(bad, 'comparison.json'), '{"dataset": "mnist", "model": 1}');
    for (const name of ['empty', 'run']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'run', 'checkpoint.safetensors'), '');
    const given = args.map((arg) => (/^(bad|empty|run)$/.test(arg) ? join(folder, arg) : arg));
    const out = args.includes('--resume') ? [] : ['--out', join(folder, 'none')];
    const { status, stderr } = spawnSync(process.execPath, [cli, 'compare', ...given, ...out], {
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(expected);
    expect(readdirSync(folder)).not.toContain('none');
  });
});
