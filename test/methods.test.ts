/** Methods that nobody ships, in whole trainings: they train, resume to the same bits, and fail with their own names. */
import { describe, expect, test, vi } from 'vitest';
import { GpuValidationError, OptionError } from '../src/errors.ts';
import { type Model, Network, sequential } from '../src/graph/index.ts';
import { batchNormalization, dense, flatten, quantConv2d, quantDense, relu } from '../src/layers/index.ts';
import { checkMethod } from '../src/methods/check.ts';
import {
  adam,
  bop,
  defineLoss,
  defineOptimizer,
  definePenalty,
  defineQuantizer,
  distillation,
  LOSSES,
  type Method,
  OPTIMIZERS,
  PENALTIES,
  QUANTIZERS,
  type Quantizer,
  sgd,
} from '../src/methods/index.ts';
import { EVERY, METHODS, methodByName } from '../src/methods/table.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const quantizer = defineQuantizer({
  name: 'cubic',
  formula: '(1 - x²)³ where |x| <= 1, else 0',
  source: 'this test',
  wgsl: 'fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return y * y * y; }',
  gradient: (x) => Math.max(0, 1 - x * x) ** 3,
});

const optimizer = defineOptimizer({
  name: 'threeSlots',
  formula: 'a, b: averages of g and |g|; n: steps; w <- w - rate a / (b + 1e-6)',
  source: 'this test',
  wgsl: `
    struct Slots { a: Lane, b: Lane, n: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      (*slots).a += 0.1 * (g - (*slots).a);
      (*slots).b += 0.1 * (abs(g) - (*slots).b);
      (*slots).n += Lane(1.0);
      return w - scalars.rate * STEP_SCALE * (*slots).a / ((*slots).b + Lane(1e-6));
    }`,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale }) {
    const a = (slots.a ?? 0) + 0.1 * (g - (slots.a ?? 0));
    const b = (slots.b ?? 0) + 0.1 * (Math.abs(g) - (slots.b ?? 0));
    Object.assign(slots, { a, b, n: (slots.n ?? 0) + 1 });
    return w - (rate * stepScale * a) / (b + 1e-6);
  },
});

const penalty = definePenalty({
  name: 'pull',
  formula: 'λ |w|',
  source: 'this test',
  parameters: { strength: { default: 1e-5, from: 0, says: 'λ' } },
  wgsl: 'override STRENGTH: f32;\nfn penalized(w: f32, g: f32) -> f32 { return g + STRENGTH * sign(w); }',
  twin: (w, g, { strength }) => g + strength * Math.sign(w),
});

const loss = defineLoss({
  name: 'cubicHinge',
  formula: 'mean of max(0, 1 - t o)³',
  source: 'this test',
  wgsl: `
    fn row_loss(row: Row) -> f32 {
      var loss = 0.0;
      for (var c = 0u; c < OUTPUTS; c++) {
        let side = 2.0 * wanted(row, c) - 1.0;
        let margin = max(0.0, 1.0 - side * output(row, c));
        loss += margin * margin * margin;
        set_gradient(row, c, -3.0 * side * margin * margin / (row.rows * f32(OUTPUTS)));
      }
      return loss / f32(OUTPUTS);
    }`,
  twin({ outputs, wanted }) {
    const margins = outputs.map((o, c) => Math.max(0, 1 - (2 * (wanted[c] ?? 0) - 1) * o));
    return {
      loss: margins.reduce((sum, margin) => sum + margin ** 3, 0) / outputs.length,
      gradient: margins.map((margin, c) => (-3 * (2 * (wanted[c] ?? 0) - 1) * margin ** 2) / outputs.length),
    };
  },
});

/** Moves values, which layers multiply by while training, towards their signs (ProxQuant's prox). */
const prox = defineOptimizer({
  name: 'prox',
  formula: 'w <- prox(w - rate g), towards sign(w) by pull',
  source: 'Bai et al. 2018, arXiv 1810.00861, with plain gradient descent',
  parameters: {
    pull: { default: { from: 1e-3, to: 0.05, decay: 'linear' }, schedule: true, says: 'the pull' },
  },
  wgsl: `
    struct Scalars { rate: f32, pull: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let stepped = w - scalars.rate * STEP_SCALE * g;
      let side = sign_lanes(stepped);
      let away = abs(stepped) - 1.0;
      return side * (1.0 + sign(away) * max(abs(away) - scalars.pull, Lane(0.0)));
    }`,
  twin({ w, g, scalars: { rate = 0, pull = 0 }, stepScale }) {
    const stepped = w - rate * stepScale * g;
    const away = Math.abs(stepped) - 1;
    return (stepped < 0 ? -1 : 1) * (1 + Math.sign(away) * Math.max(Math.abs(away) - pull, 0));
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});

/** Slows down as fewer signs flip: a number of each tensor and step goes into the next one. */
const settling = defineOptimizer({
  name: 'settling',
  formula:
    'm <- m + (g - m) / 10; w <- w - rate (1 + 2 share) m; share: of the signs that flipped in the step before',
  source: 'this test',
  wgsl: `
    struct Slots { m: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      (*slots).m += 0.1 * (g - (*slots).m);
      return w - scalars.rate * STEP_SCALE * (1.0 + 2.0 * measured) * (*slots).m;
    }`,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale, measured }) {
    const m = (slots.m ?? 0) + 0.1 * (g - (slots.m ?? 0));
    slots.m = m;
    return w - rate * stepScale * (1 + 2 * measured) * m;
  },
  measure: {
    wgsl: `
      fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane {
        return select(Lane(0.0), Lane(1.0), sign_lanes(was) != sign_lanes(now));
      }`,
    start: 1,
    twin: ({ was, now }) => (was < 0 === now < 0 ? 0 : 1),
  },
});

const data = quadrants(600, 200);

function network(given: Quantizer): Model {
  const binary = { inputQuantizer: given, kernelQuantizer: given };
  return sequential(
    [
      quantConv2d({ name: 'conv', filters: 16, kernelSize: 3, kernelQuantizer: given }),
      batchNormalization({ name: 'norm' }),
      flatten(),
      quantDense({ name: 'hidden', units: 32, ...binary }),
      batchNormalization(),
      quantDense({ name: 'last', units: 4, ...binary }),
      batchNormalization(),
    ],
    { input: [8, 8, 1], name: 'guest' },
  );
}

describe("a guest's methods", () => {
  const gpu = useGpu();
  const options: TrainerOptions = {
    batch: 50,
    epochs: 3,
    seed: 7,
    optimizer: optimizer(),
    penalty: penalty({ strength: 1e-6 }),
    loss: loss(),
  };

  test('train, and go on from a checkpoint to the same bits', async () => {
    using whole = await Trainer.create(gpu(), network(quantizer()), data, options);
    const { epochs } = await whole.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);

    using first = await Trainer.create(gpu(), network(quantizer()), data, options);
    await first.runSteps(7);
    const checkpoint = await first.checkpoint();
    for (const slot of ['a', 'b', 'n']) {
      expect(checkpoint.tensors.get(`conv/kernel.${slot}`)?.shape).toEqual([16, 3, 3, 1]);
    }
    expectSame(checkpoint.tensors.get('hidden/kernel.n')?.data ?? [], new Array(32 * 576).fill(7));
    using second = await Trainer.create(gpu(), network(quantizer()), data, options);
    await second.restore(checkpoint);
    await second.fit();
    expect(await second.network.hash()).toBe(await whole.network.hash());
  });

  test('a checkpoint of other methods is refused, by name', async () => {
    using first = await Trainer.create(gpu(), network(quantizer()), data, options);
    const checkpoint = await first.checkpoint();
    using other = await Trainer.create(gpu(), network(quantizer()), data, {
      ...options,
      penalty: 'weightDecay',
    });
    await expect(other.restore(checkpoint)).rejects.toThrow(/penalty[\s\S]*weightDecay[\s\S]*pull/);
  });

  test('an optimizer that layers read values of ends with signs that are as good', async () => {
    const binary = QUANTIZERS.steSign();
    using trainer = await Trainer.create(gpu(), network(binary), data, {
      ...options,
      epochs: 9,
      optimizer: prox(),
      penalty: undefined as never,
      learningRate: 0.05,
    });
    const { epochs } = await trainer.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.8);
    // The pull has brought the values to their signs, and the end the rest of them; what is normalised is of those.
    const values = await trainer.network.values();
    expect(new Set(values.get('hidden/kernel'))).toEqual(new Set([-1, 1]));
    const means = values.get('norm/runningMean') ?? new Float32Array();
    const { step, epoch } = trainer.progress;
    expect(await trainer.finish()).toBe(true);
    expect(trainer.progress).toMatchObject({ step, epoch });
    expect((await trainer.network.values()).get('norm/runningMean')).not.toEqual(means);

    using plain = await Trainer.create(gpu(), network(binary), data);
    expect(await plain.finish()).toBe(false);
  });

  test('an optimizer that measures its steps goes on to the same bits with what it measured', async () => {
    const measuring = { ...options, optimizer: settling(), learningRate: 0.3 };
    using whole = await Trainer.create(gpu(), network(quantizer()), data, measuring);
    const { epochs } = await whole.fit();
    // Chance is 0.25.
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.5);

    using first = await Trainer.create(gpu(), network(quantizer()), data, measuring);
    await first.runSteps(6);
    const before = (await first.network.values()).get('hidden/kernel') ?? new Float32Array();
    await first.runSteps(1);
    const after = (await first.network.values()).get('hidden/kernel') ?? new Float32Array();
    const checkpoint = await first.checkpoint();
    const saved = checkpoint.tensors.get('hidden/kernel.measured');
    const flipped = before.filter((w, i) => w < 0 !== (after[i] ?? 0) < 0).length;
    expect(flipped).toBeGreaterThan(0);
    expect(saved?.shape).toEqual([2]);
    expectSame(saved?.data ?? [], [Math.fround(flipped / before.length), 1]);

    using second = await Trainer.create(gpu(), network(quantizer()), data, measuring);
    await second.restore(checkpoint);
    await second.fit();
    expect(await second.network.hash()).toBe(await whole.network.hash());
    // Without it the bits are others: it does go into the step.
    using forgetful = await Trainer.create(gpu(), network(quantizer()), data, measuring);
    const forgotten = [...checkpoint.tensors].map(([name, tensor]) =>
      name.endsWith('.measured')
        ? ([name, { ...tensor, data: new Float32Array(2) }] as const)
        : ([name, tensor] as const),
    );
    await forgetful.restore({ ...checkpoint, tensors: new Map(forgotten) });
    await forgetful.fit();
    expect(await forgetful.network.hash()).not.toBe(await whole.network.hash());
  });

  test('other optimizers for some parameters, and none', async () => {
    using trainer = await Trainer.create(gpu(), network(quantizer()), data, {
      ...options,
      overrides: [
        { match: /^conv\//, optimizer: 'none' },
        { match: 'hidden/kernel', optimizer: bop({ gamma: 1e-2, threshold: 1e-6 }) },
        { match: /gamma|beta/, optimizer: sgd() },
      ],
    });
    const before = await trainer.network.values();
    await trainer.runSteps(12);
    const after = await trainer.network.values();
    expectSame(after.get('conv/kernel') ?? [], before.get('conv/kernel') ?? []);
    expect(new Set(after.get('hidden/kernel'))).toEqual(new Set([-1, 1]));
    expect(after.get('last/kernel')).not.toEqual(before.get('last/kernel'));
    const { tensors } = await trainer.checkpoint();
    expect([...tensors.keys()].filter((name) => name.startsWith('norm/')).sort()).toContain(
      'norm/gamma.velocity',
    );
    expect([...tensors.keys()]).not.toContain('conv/kernel.a');
  });

  test('a teacher hands on what it knows, without a label', async () => {
    const float = sequential([flatten(), dense({ units: 32, useBias: true }), relu(), dense({ units: 4 })], {
      input: [8, 8, 1],
      name: 'teacher',
    });
    using schooled = await Trainer.create(gpu(), float, data, {
      epochs: 4,
      batch: 50,
      loss: 'crossEntropy',
      learningRate: 0.005,
    });
    expect((await schooled.fit()).epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
    const shuffled = { ...data.train, labels: data.train.labels.map((_, i) => i % 4) };
    using pupil = await Trainer.create(
      gpu(),
      network(quantizer()),
      { ...data, train: shuffled },
      {
        ...options,
        loss: distillation({ temperature: 2 }),
        teacher: schooled.network,
      },
    );
    expect((await pupil.fit()).epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.85);
    await expect(Trainer.create(gpu(), network(quantizer()), data, { loss: 'distillation' })).rejects.toThrow(
      /teacher/,
    );
    expect(schooled.network).toBeInstanceOf(Network);
  });
});

/** What pages know by name. */
const NAMED = { quantizer: QUANTIZERS, optimizer: OPTIMIZERS, penalty: PENALTIES, loss: LOSSES };

describe('every method', () => {
  for (const [kind, list] of Object.entries(EVERY)) {
    for (const [name, make] of Object.entries(list)) {
      test(`${kind}.${name} says what it is, and comes back from JSON`, () => {
        const method = (make as () => Method)();
        expect(method.name).toBe(name);
        const { formula, source, parameters = {} } = method.definition;
        expect(formula.length).toBeGreaterThan(0);
        expect(source.length).toBeGreaterThan(5);
        for (const parameter of Object.values(parameters)) expect(parameter.says.length).toBeGreaterThan(0);
        if (!Object.hasOwn(NAMED[method.kind as keyof typeof NAMED], name)) {
          expect(method.definition.provenance, 'provenance').toBeDefined();
        }
        expect(JSON.parse(JSON.stringify(method))).toBe(name);
      });
    }
  }

  test('numbers that are not defaults are said', () => {
    expect(JSON.parse(JSON.stringify(adam({ beta1: 0.8 })))).toEqual({ name: 'adam', beta1: 0.8 });
    expect(JSON.parse(JSON.stringify(bop({ gamma: { from: 1, to: 0.1, decay: 'linear' } })))).toEqual({
      name: 'bop',
      gamma: { from: 1, to: 0.1, decay: 'linear' },
    });
    expect(() => JSON.stringify(bop({ gamma: () => 1 }))).toThrow(/gamma of bop/);
  });
});

describe('what is wrong with a method is said by its name', () => {
  const gpu = useGpu();
  const about = { name: 'mine', formula: 'x', source: 'this test' } as const;
  const right = 'fn gradient(x: f32) -> f32 { return x; }';

  test('a function that is missing, or has another signature', () => {
    expect(() =>
      defineQuantizer({ ...about, wgsl: 'fn grad(x: f32) -> f32 { return x; }', gradient: (x) => x }),
    ).toThrow(/no function gradient[\s\S]*quantizer mine|quantizer mine[\s\S]*no function gradient/);
    const wide = 'fn gradient(x: f32, y: f32) -> f32 { return x; }';
    expect(() => defineQuantizer({ ...about, wgsl: wide, gradient: (x) => x })).toThrow(
      /fn gradient\(x: f32\) -> f32/,
    );
    const slots = 'fn update(w: Lane, g: Lane, scalars: Scalars) -> Lane { return w; }';
    expect(() => defineOptimizer({ ...about, wgsl: slots, twin: ({ w }) => w })).toThrow(
      /slots: ptr<function, Slots>/,
    );
  });

  test('a twin that is missing', () => {
    expect(() => defineQuantizer({ ...about, wgsl: right } as never)).toThrow(/gradient: undefined/);
    expect(() =>
      definePenalty({ ...about, wgsl: 'fn penalized(w: f32, g: f32) -> f32 { return g; }' } as never),
    ).toThrow(/penalty mine/);
  });

  test('a measure that lacks something', () => {
    const { measure = { wgsl: '', start: 0, twin: () => 0 }, ...definition } = settling.definition;
    const withMeasure = (own: object) => () =>
      defineOptimizer({ ...definition, measure: { ...measure, ...own } as typeof measure });
    expect(withMeasure({ start: undefined })).toThrow(/measure\.start: undefined/);
    expect(withMeasure({ twin: 1 })).toThrow(/measure\.twin: number/);
    expect(withMeasure({ wgsl: undefined })).toThrow(/measure\.wgsl[\s\S]*fn measure\(was: Lane/);
    expect(withMeasure({ wgsl: 'fn measure(was: Lane) -> Lane { return was; }' })).toThrow(
      /fn measure\(was: Lane, now: Lane/,
    );
  });

  test('a constant that nothing gives a value', () => {
    const wgsl = `override WIDTH: f32;\n${right}`;
    expect(() => defineQuantizer({ ...about, wgsl, gradient: (x) => x })()).toThrow(/override WIDTH/);
  });

  test('fields of another type, and no numbers at all', () => {
    const update =
      'fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane { return w; }';
    const twin = ({ w }: { w: number }) => w;
    expect(() =>
      defineOptimizer({
        ...about,
        wgsl: `struct Slots { n: u32 }\nstruct Scalars { rate: f32 }\n${update}`,
        twin,
      }),
    ).toThrow(/n: u32/);
    expect(() => defineOptimizer({ ...about, wgsl: update, twin })).toThrow(/struct Scalars \{ rate: f32 \}/);
  });

  test('WGSL that does not compile: the line is its own', async () => {
    const broken = defineQuantizer({
      ...about,
      wgsl: 'fn gradient(x: f32) -> f32 {\n  let y = x * x;\n  return y + nothing;\n}',
      gradient: (x) => x,
    });
    const failure = await Trainer.create(gpu(), network(broken()), data).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GpuValidationError);
    expect(String(failure)).toMatch(/the WGSL of mine/);
    expect(String(failure)).toMatch(/line 3: .*nothing/);
  });

  test('a piece of the library that there is not', async () => {
    const broken = defineQuantizer({
      ...about,
      wgsl: `//!include "lib/none.wgsl"\n${right}`,
      gradient: (x) => x,
    });
    await expect(Trainer.create(gpu(), network(broken()), data)).rejects.toThrow(OptionError);
  });

  test('a piece of the library that there is: counter-based random numbers', async () => {
    const noisy = defineQuantizer({
      ...about,
      wgsl: `//!include "lib/random.wgsl"
fn gradient(x: f32) -> f32 { return select(0.5, 1.0, (pcg4d(vec4u(bitcast<u32>(x), 1u, 2u, 3u)).x & 1u) == 0u); }`,
      gradient: (x) => {
        const [bits = 0] = new Uint32Array(Float32Array.of(x).buffer);
        return (pcg4d(bits, 1, 2, 3)[0] & 1) === 0 ? 1 : 0.5;
      },
    });
    using trainer = await Trainer.create(gpu(), network(noisy()), data, { batch: 50 });
    expect((await trainer.runSteps(2)).length).toBe(2);
  });
});

describe('checkMethod', () => {
  const gpu = useGpu();
  const shipped = Object.keys(METHODS).map((name) => methodByName(name));

  for (const method of [...shipped, quantizer(), optimizer(), penalty(), loss(), prox(), settling()]) {
    test(`${method.kind} ${method.name} agrees with its twin`, async () => {
      const { compared, worst } = await checkMethod(gpu(), method);
      expect(compared).toBeGreaterThan(100);
      expect(worst).toBeLessThan(1e-4);
    });
  }

  test('what disagrees is said, with both numbers', async () => {
    const wrong = defineQuantizer({
      ...quantizer.definition,
      name: 'wrong',
      gradient: (x) => Math.max(0, 1 - x * x),
    });
    await expect(checkMethod(gpu(), wrong())).rejects.toThrow(/quantizer wrong: gradient, sample \d+/);
    const { measure } = settling.definition;
    const miscounted = defineOptimizer({
      ...settling.definition,
      name: 'miscounted',
      measure: { start: 1, wgsl: measure?.wgsl ?? '', twin: () => 1 },
    });
    await expect(checkMethod(gpu(), miscounted())).rejects.toThrow(/miscounted: measure of rows of 33/);
    const slope = definePenalty({ ...penalty.definition, name: 'slope', value: (w) => w * w });
    await expect(checkMethod(gpu(), slope())).rejects.toThrow(
      /penalty slope: gradient and the slope of its value/,
    );
    await expect(checkMethod(gpu(), {} as never)).rejects.toThrow(OptionError);
  });
});

describe('a gradient that disagrees with its twin', () => {
  const gpu = useGpu();
  /** A new definition each time: what was checked is not checked again. */
  const wrongQuantizer = () =>
    defineQuantizer({
      ...quantizer.definition,
      name: 'wrongly',
      gradient: (x) => Math.max(0, 1 - x * x),
    })();
  const wrongPenalty = () => definePenalty({ ...penalty.definition, name: 'push', twin: (_, g) => g - 1 })();
  const wrongLoss = () =>
    defineLoss({
      ...loss.definition,
      name: 'flat',
      twin: ({ outputs }) => ({ loss: 0, gradient: outputs.map(() => 0) }),
    })();
  const right = QUANTIZERS.steSign();
  const flipped = sequential(
    [flatten(), quantDense({ units: 4, inputQuantizer: wrongQuantizer(), kernelQuantizer: right })],
    { input: [8, 8, 1] },
  );
  const cases: Readonly<Record<string, readonly [Model, TrainerOptions]>> = {
    'quantizer wrongly: gradient': [network(wrongQuantizer()), {}],
    'quantizer wrongly: gradient, sample': [flipped, {}],
    'penalty push: gradient': [network(right), { penalty: wrongPenalty() }],
    'loss flat: gradient of classes': [network(right), { loss: wrongLoss() }],
  };

  for (const [where, [model, own]] of Object.entries(cases)) {
    test(`is found where it is used first: ${where}`, async () => {
      const before = gpu().memory.bytes;
      const refused = await Trainer.create(gpu(), model, data, own).catch((cause: unknown) => cause);
      expect(refused).toBeInstanceOf(OptionError);
      expect(String(refused)).toContain('disagrees with itself');
      expect(String(refused)).toContain(where);
      expect(gpu().memory.bytes).toBe(before);
    });
  }

  test('is not asked for in production', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    try {
      const model = network(wrongQuantizer());
      using trainer = await Trainer.create(gpu(), model, data, {
        loss: wrongLoss(),
        penalty: wrongPenalty(),
      });
      await trainer.runSteps(1);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('is looked for once, and again with other numbers', async () => {
    let calls = 0;
    const counted = defineQuantizer({
      ...quantizer.definition,
      name: 'counted',
      parameters: { width: { default: 1, above: 0, says: 'nothing' } },
      gradient(x) {
        calls += 1;
        return quantizer.definition.gradient(x, {});
      },
    });
    const asked = async (made: Quantizer) => {
      calls = 0;
      (await Trainer.create(gpu(), network(made), data)).dispose();
      return calls > 0;
    };
    expect([await asked(counted()), await asked(counted()), await asked(counted({ width: 2 }))]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('names', () => {
  const gpu = useGpu();

  test('a method may call what it declares as the frames, or other methods, do', async () => {
    const about = { formula: 'x', source: 'this test' } as const;
    const parameters = { width: { default: 2, above: 0, says: 'a number' } } as const;
    const helper = 'fn main(x: f32) -> f32 { return x * WIDTH; }\nconst words = 1.0; struct Step { x: f32 }';
    const q = defineQuantizer({
      ...about,
      name: 'same',
      parameters,
      wgsl: `override WIDTH: f32;\n${helper}\nfn gradient(x: f32) -> f32 { let step = Step(main(x)); return step.x * words; }`,
      gradient: (x, { width }) => x * width,
    });
    const p = definePenalty({
      ...about,
      name: 'same',
      parameters,
      wgsl: `override WIDTH: f32;\n${helper}\nfn penalized(w: f32, g: f32) -> f32 { return g + main(w) * words; }`,
      twin: (w, g, { width }) => g + w * width,
    });
    await checkMethod(gpu(), q());
    await checkMethod(gpu(), p({ width: 0.5 }));
    using trainer = await Trainer.create(gpu(), network(q()), data, {
      batch: 50,
      penalty: p({ width: 1e-6 }),
    });
    expect((await trainer.runSteps(2)).length).toBe(2);
  });
});
