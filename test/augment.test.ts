/** Augmentations: each agrees with its twin, does nothing at strength 0, and follows from the seed alone. */
import { describe, expect, test } from 'vitest';
import { type ResidentSource, streamed, type TrainingData } from '../src/data/index.ts';
import { OptionError } from '../src/errors.ts';
import { ProgramBuilder, type Tensor } from '../src/gpu/index.ts';
import { type Model, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../src/layers/index.ts';
import {
  AUGMENTATION_NAMES,
  AUGMENTATIONS,
  type AugmentationLike,
  defineAugmentation,
  LOSSES,
  type LossName,
} from '../src/methods/index.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { encodeTrainState, gatherBatch, STATE_WORDS } from '../src/ops/data.ts';
import { loss } from '../src/ops/loss.ts';
import * as reference from '../src/reference/augment.ts';
import { loss as referenceLoss } from '../src/reference/loss.ts';
import { resolveAugmentations } from '../src/train/augment.ts';
import { checkData } from '../src/train/data.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

/** What does nothing. */
const IDLE: Readonly<Record<string, AugmentationLike>> = {
  crop: { name: 'crop', pad: 0 },
  shift: { name: 'shift', amount: 0 },
  rotate: { name: 'rotate', degrees: 0 },
  scale: { name: 'scale', amount: 0 },
  brightness: { name: 'brightness', amount: 0 },
  contrast: { name: 'contrast', amount: 0 },
  cutout: { name: 'cutout', size: 0 },
  labelSmoothing: { name: 'labelSmoothing', share: 0 },
};
/** Of a guest: to the side, the farther down the more. */
const shear = defineAugmentation({
  name: 'shear',
  stage: 'move',
  formula: 'x + s y',
  source: 'this test',
  parameters: { amount: { default: 0.3, from: 0, says: 'pixels to the side for one down' } },
  wgsl: `
    override AMOUNT: f32;
    fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f {
      return here + vec2f(AMOUNT * (2.0 * random.x - 1.0) * here.y, 0.0);
    }`,
  twin: ([x, y], _extent, [r = 0], { amount }) => [x + amount * (2 * r - 1) * y, y],
});
const ALL: readonly AugmentationLike[] = [
  ...AUGMENTATION_NAMES,
  shear(),
  { name: 'rotate', degrees: 80 },
  { name: 'shift', amount: 1 },
  { name: 'cutout', size: 3 },
  { name: 'mixup', alpha: 1 },
];
const nameOf = (one: AugmentationLike) =>
  JSON.stringify(typeof one === 'object' && 'toJSON' in one ? one.toJSON() : one);

interface Setup {
  readonly data: TrainingData & { readonly train: ResidentSource };
  readonly seed?: number;
  readonly index?: number;
}

const BATCH = 6;
/** Images of bytes with a class each. */
function setOf([height, width, channels]: readonly [number, number, number], count = 20): Setup['data'] {
  const images = Uint8Array.from(
    { length: count * height * width * channels },
    (_, i) => pcg4d(3, 1, i, 0)[0] >>> 24,
  );
  return {
    ...{ name: 'noise', classes: ['a', 'b', 'c'], image: [height, width, channels], targets: 'classes' },
    train: { count, images, labels: Uint32Array.from({ length: count }, (_, i) => i % 3) },
    normalise: { scale: [2 / 255], shift: [-1] },
  };
}

/** A batch of a training, augmented. */
async function batchOf(list: readonly AugmentationLike[], { data, seed = 9, index = 1 }: Setup) {
  using scratch = new Scratch(gpu());
  const checked = checkData(data);
  const augment = resolveAugmentations(list, checked);
  const { train, image } = data;
  const b = new ProgramBuilder(gpu(), 'an augmented batch');
  const state = scratch.tensor(
    'state',
    [STATE_WORDS],
    'u32',
    encodeTrainState({ seed, epoch: 4, batch: index }),
  );
  const dtype = train.images instanceof Float32Array ? 'f32' : 'u8';
  const picked = gatherBatch(b, {
    images: scratch.tensor('images', [train.count, ...image], dtype, train.images),
    labels: scratch.tensor('labels', [train.count], 'u32', Uint32Array.from(train.labels)),
    ...(train.weights === undefined
      ? {}
      : { weights: scratch.tensor('weights', [train.count], 'f32', train.weights) }),
    ...{ state, batch: BATCH, shuffle: true, ...checked.normalise },
    ...(augment?.picked === undefined ? {} : { augment: augment.picked }),
    change: augment?.change,
  });
  const { x, targets, weights, shares } = augment?.mix(b, picked, state, 3) ?? { ...picked, shares: false };
  const kept = [x, targets, ...(weights === undefined ? [] : [weights])];
  for (const tensor of kept) b.keep(tensor);
  using program = await b.compile();
  program.run();
  const floats = (tensor: Tensor) => gpu().readFloats(tensor);
  return {
    x: await floats(x),
    targets: shares ? await floats(targets) : await gpu().readWords(targets),
    weights: weights === undefined ? undefined : await floats(weights),
    shares,
  };
}

const place = (index: number, samples: number, at = 1) => ({
  ...{ seed: 9, epoch: 4, index, batch: BATCH, samples, place: at },
});

describe.each(ALL.map((one) => [nameOf(one), one] as const))('%s', (_, one) => {
  const shapes = [
    [7, 9, 3],
    [8, 8, 1],
    [1, 5, 2],
    [6, 6, 5],
  ] as const;

  test('agrees with its twin, in a whole batch and in the last one', async () => {
    const data = setOf([7, 9, 3]);
    const { definition, parameters } = resolvedOf(one, data);
    for (const shape of shapes) {
      const own = setOf(shape);
      for (const index of [1, 3]) {
        const plain = await batchOf([], { data: own, index });
        const got = await batchOf([one], { data: own, index });
        const images = { x: plain.x, shape: [BATCH, ...shape] as const };
        const at = place(index, own.train.count);
        const where = `${shape.join('x')}, batch ${index}`;
        if (definition.stage === 'move') {
          const twin = reference.moved(
            images,
            (...given) => definition.twin(...given, parameters),
            () => -1,
            at,
          );
          expectClose(got.x, twin, 1e-4, where);
        } else if (definition.stage === 'change') {
          const range = { middle: () => 0, span: () => 2 };
          const twin = reference.changed(
            images,
            (...given) => definition.twin(...given, parameters),
            range,
            at,
          );
          expectClose(got.x, twin, 1e-4, where);
        } else if (definition.stage === 'mix') {
          const rows = reference.pairs(at, parameters.alpha ?? 0);
          const size = shape[0] * shape[1] * shape[2];
          expectClose(got.x, reference.mixed(plain.x, size, rows), 1e-4, where);
          const hot = [...plain.targets].flatMap((label) => [0, 1, 2].map((c) => (c === label ? 1 : 0)));
          expectClose(valid(got.targets), valid(reference.mixed(hot, 3, rows), plain.targets), 1e-4, where);
        } else if (definition.stage === 'targets') {
          const { share = 0 } = parameters;
          const wanted = [...plain.targets]
            .filter((label) => label < 3)
            .flatMap((label) => [0, 1, 2].map((c) => (c === label ? 1 - share : 0) + share / 3));
          expectClose(valid(got.targets), wanted, 1e-6, where);
          expectSame(got.x, plain.x, where);
        }
      }
    }
  });

  test('is the same for the same seed, another for another, and does something', async () => {
    const data = setOf([9, 9, 3]);
    const first = await batchOf([one], { data });
    expect(await batchOf([one], { data })).toEqual(first);
    const plain = await batchOf([], { data });
    expect([...first.x, ...first.targets]).not.toEqual([...plain.x, ...plain.targets]);
    const { stage } = resolvedOf(one, data).definition;
    if (stage === 'targets') return;
    // Of the same samples: in the place of the list, it draws other numbers.
    const other = await batchOf([one], { data, seed: 10 });
    expect([...other.x]).not.toEqual([...first.x]);
  });
});

/** The numbers of the rows that hold a sample. @param labels of the rows, where the numbers don't say it */
function valid(targets: ArrayLike<number>, labels?: ArrayLike<number>): number[] {
  return Array.from(targets).filter((value, i) =>
    labels === undefined ? !Number.isNaN(value) : (labels[Math.floor(i / 3)] ?? 9) < 3,
  );
}

function resolvedOf(one: AugmentationLike, data: TrainingData) {
  // The list that the trainer has hides them; a list of one is that one.
  const checked = checkData(data);
  expect(resolveAugmentations([one], checked)).toBeDefined();
  return typeof one === 'object' && 'definition' in one ? one : methodOf(one);
}

function methodOf(one: Exclude<AugmentationLike, { definition: unknown }>) {
  const { name, ...numbers } = typeof one === 'string' ? { name: one } : one;
  const factory = AUGMENTATIONS[name] as (values: object) => ReturnType<typeof shear>;
  return factory(numbers);
}

test('at strength 0 every one gives the very bits of a batch that is not augmented', async () => {
  for (const shape of [
    [7, 9, 3],
    [8, 8, 1],
  ] as const) {
    const data = setOf(shape);
    const plain = await batchOf([], { data });
    for (const [name, one] of Object.entries(IDLE)) {
      const got = await batchOf([one], { data });
      expectSame(got.x, plain.x, name);
      if (name !== 'labelSmoothing') expectSame(got.targets, plain.targets, name);
    }
    const all = await batchOf(Object.values(IDLE), { data });
    expectSame(all.x, plain.x, 'all');
    expect([...all.targets]).toEqual(
      [...plain.targets].flatMap((label) => [0, 1, 2].map((c) => Number(c === label))),
    );
  }
  // What has no strength 0 is named here.
  expect(AUGMENTATION_NAMES.filter((name) => !(name in IDLE)).sort()).toEqual(['flip', 'mixup']);
});

test('several are done in their order; crops and mirror images come first; numbers of reals have a span of 1', async () => {
  const bytes = setOf([8, 8, 2]);
  const reals = {
    ...bytes,
    train: { ...bytes.train, images: Float32Array.from(bytes.train.images, (v) => v / 64 - 2) },
    normalise: { scale: [1], shift: [0] },
  };
  const list = [
    { name: 'brightness', amount: 0.5 },
    'flip',
    'contrast',
    { name: 'rotate', degrees: 30 },
  ] as const;
  const [brightness, , contrast, rotate] = list.map((one) => methodOf(one));
  for (const data of [bytes, reals]) {
    const isReal = data === reals;
    const flipped = await batchOf(['flip'], { data });
    const shape = [BATCH, 8, 8, 2] as const;
    const range = { middle: () => 0, span: () => (isReal ? 1 : 2) };
    const step = (x: ArrayLike<number>, method: typeof brightness, at: number) => {
      const definition = method?.definition;
      const numbers = method?.parameters ?? {};
      if (definition?.stage === 'change') {
        return reference.changed(
          { x, shape },
          (...given) => definition.twin(...given, numbers),
          range,
          place(1, 20, at),
        );
      }
      if (definition?.stage !== 'move') throw new Error('no such stage');
      const fill = () => (isReal ? 0 : -1);
      return reference.moved(
        { x, shape },
        (...given) => definition.twin(...given, numbers),
        fill,
        place(1, 20, at),
      );
    };
    const expected = step(step(step(flipped.x, brightness, 1), contrast, 3), rotate, 4);
    expectClose((await batchOf(list, { data })).x, expected, 1e-4, isReal ? 'reals' : 'bytes');
  }
});

test('weights are mixed as samples are', async () => {
  const data = setOf([4, 4, 1]);
  const weights = Float32Array.from({ length: 20 }, (_, i) => 1 + i);
  const weighed = { ...data, train: { ...data.train, weights } };
  const plain = await batchOf([], { data: weighed });
  const got = await batchOf(['mixup'], { data: weighed });
  const rows = reference.pairs(place(1, 20), 0.2);
  expectClose(got.weights ?? [], reference.mixed(plain.weights ?? [], 1, rows), 1e-4, 'weights');
});

test('shares of mixup are of Beta(alpha, alpha): their mean is a half, their variance 1 / (8 alpha + 4)', () => {
  for (const alpha of [0.1, 0.2, 0.5, 1]) {
    const rows = Array.from({ length: 40 }, (_, index) =>
      reference.pairs({ ...place(index, 4000), batch: 100 }, alpha),
    ).flat();
    const mean = rows.reduce((sum, { share }) => sum + share, 0) / rows.length;
    const variance = rows.reduce((sum, { share }) => sum + (share - mean) ** 2, 0) / rows.length;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(Math.abs(variance - 1 / (8 * alpha + 4))).toBeLessThan(0.012);
  }
});

test.each(
  Object.keys(LOSSES)
    .map((name) => LOSSES[name as LossName]())
    .filter(({ targets, teacher }) => targets.includes('classes') && !teacher)
    .map((rule) => [rule.name, rule] as const),
)('%s of shares agrees with its twin, and is the loss of classes where a share is whole', async (_, rule) => {
  using scratch = new Scratch(gpu());
  const [rows, outputs] = [5, 4];
  const logits = Float32Array.from(
    { length: rows * outputs },
    (_, i) => 3 * (pcg4d(5, 5, i, 0)[0] / 2 ** 31 - 1),
  );
  const labels = [0, 3, 2, 1, 1];
  const whole = labels.flatMap((label) => [0, 1, 2, 3].map((c) => Number(c === label)));
  const mixed = Array.from(
    { length: rows * outputs },
    (_, i) => 0.7 * (whole[i] ?? 0) + 0.3 * (whole[(i + 4) % 20] ?? 0),
  );
  const results: { gradient: Float32Array; metrics: Float32Array }[] = [];
  for (const targets of [labels, whole, mixed]) {
    const b = new ProgramBuilder(gpu(), 'a loss of shares');
    const isClass = targets === labels;
    const metrics = scratch.tensor('metrics', [4, 4], 'f32');
    const gradient = loss(b, {
      loss: rule,
      logits: scratch.tensor('logits', [rows, outputs], 'f32', logits),
      targets: isClass
        ? scratch.tensor('labels', [rows], 'u32', Uint32Array.from(labels))
        : scratch.tensor('shares', [rows, outputs], 'f32', Float32Array.from(targets)),
      ...{
        shares: !isClass,
        state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({})),
        metrics,
      },
    });
    b.keep(gradient);
    using program = await b.compile();
    program.run();
    results.push({ gradient: await gpu().readFloats(gradient), metrics: await gpu().readFloats(metrics) });
  }
  const [classes, ofWhole, ofMixed] = results;
  expectClose(ofWhole?.gradient ?? [], classes?.gradient ?? [], 1e-6, 'whole');
  expectClose((ofWhole?.metrics ?? []).slice(0, 3), (classes?.metrics ?? []).slice(0, 3), 1e-6, 'whole');
  const twin = referenceLoss(rule.twin, logits, { shares: mixed }, outputs);
  expectClose(ofMixed?.gradient ?? [], twin.gradLogits, 1e-5, 'mixed');
  expectClose((ofMixed?.metrics ?? []).slice(0, 3), [twin.loss, twin.correct, rows], 1e-5, 'mixed');
});

describe('a training', () => {
  const data = quadrants(200, 60, 8);
  const model: Model = sequential(
    [
      flatten(),
      quantDense({ units: 16, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: [8, 8, 1], name: 'small' },
  );
  const augment: readonly AugmentationLike[] = [
    { name: 'crop', pad: 1 },
    { name: 'rotate', degrees: 5 },
    'shift',
    'scale',
    'brightness',
    'contrast',
    { name: 'cutout', size: 2 },
    'mixup',
    'labelSmoothing',
  ];
  const options: TrainerOptions = {
    batch: 10,
    epochs: 3,
    seed: 5,
    loss: 'crossEntropy',
    learningRate: 0.01,
    augment,
  };

  async function trained(own: TrainingData, given = options) {
    using trainer = await Trainer.create(gpu(), model, own, given);
    const { epochs } = await trainer.fit();
    return { hash: await trainer.network.hash(), epochs };
  }

  test('with all of them learns, streamed or not, and goes on exactly from the middle of an epoch', async () => {
    const whole = await trained(data);
    const [first, last] = [whole.epochs[0], whole.epochs.at(-1)];
    expect(last?.trainLoss).toBeLessThan(first?.trainLoss ?? 0);
    expect(last?.testAccuracy).toBeGreaterThan(0.8);
    const stream = { ...data, train: streamed(data.train) };
    expect((await trained(stream)).hash).toBe(whole.hash);
    expect((await trained(data, { ...options, augment: augment.slice(0, -1) })).hash).not.toBe(whole.hash);
    using before = await Trainer.create(gpu(), model, data, options);
    await before.runSteps(33);
    const checkpoint = await before.checkpoint();
    using after = await Trainer.create(gpu(), model, stream, options);
    await after.restore(checkpoint);
    await after.fit();
    expect(await after.network.hash()).toBe(whole.hash);
    using other = await Trainer.create(gpu(), model, data, { ...options, augment: ['flip'] });
    await expect(other.restore(checkpoint)).rejects.toThrow(/augment/);
  });

  test('of bits and of the squared hinge takes mixed and smoothed targets', async () => {
    const labels = Uint8Array.from({ length: 200 * 4 }, (_, i) =>
      Number(data.train.labels[i >> 2] === i % 4),
    );
    const tests = Uint8Array.from({ length: 60 * 4 }, (_, i) => Number(data.test.labels[i >> 2] === i % 4));
    const bits: TrainingData = {
      ...{ ...data, targets: 'bits' },
      train: { ...data.train, labels },
      test: { ...data.test, labels: tests },
    };
    for (const [own, rule] of [
      [data, 'squaredHinge'],
      [bits, 'binaryCrossEntropy'],
    ] as const) {
      const list: AugmentationLike[] = ['mixup', { name: 'labelSmoothing', share: 0.05 }];
      const { epochs } = await trained(own, { ...options, epochs: 6, loss: rule, augment: list });
      expect(epochs.at(-1)?.trainLoss, rule).toBeLessThan(epochs[0]?.trainLoss ?? 0);
      expect(epochs.at(-1)?.testAccuracy, rule).toBeGreaterThan(0.7);
    }
  });

  test.each<[string, TrainingData, AugmentationLike[], RegExp]>([
    ['rows that are rotated', { ...data, image: [64] }, ['rotate'], /are images[\s\S]*rotate[\s\S]*\[64\]/],
    [
      'numbers that are smoothed',
      {
        ...{ ...data, targets: 'reals', classes: ['n'] },
        train: { ...data.train, labels: new Float32Array(200) },
        test: { ...data.test, labels: new Float32Array(60) },
      },
      ['labelSmoothing'],
      /Only classes and bits[\s\S]*reals/,
    ],
  ])('refuses %s', async (_, own, list, words) => {
    const outputs = own.classes.length;
    const network = sequential([flatten(), quantDense({ units: outputs, kernelQuantizer: 'steSign' })], {
      input: own.image,
    });
    const creating = Trainer.create(gpu(), network, own, { ...options, loss: 'meanSquare', augment: list });
    await expect(creating).rejects.toThrow(OptionError);
    await expect(creating).rejects.toThrow(words);
  });
});
