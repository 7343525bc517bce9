/** An outsider's package, which imports public entries alone: everything that it brings is used, in Node and in Chrome. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  BnnError,
  batchNormalization,
  defineLayer,
  type FitHooks,
  FormatError,
  flatten,
  foldForInference,
  type Hook,
  type Inputs,
  initialValues,
  loadModel,
  Network,
  OptionError,
  ops,
  quantDense,
  type Shape,
  saveModel,
  sequential,
  sign,
  summarize,
  Trainer,
} from 'webgpu-bnn';
import { defineQuantizer } from 'webgpu-bnn/methods';
import { quadrants } from './guest/data.ts';
import { Clip, shiftedSign } from './guest/layers.ts';
import { bump } from './guest/methods.ts';
import { type Study, study } from './guest/study.ts';
import { launchChrome, servePages } from './helpers/chrome.ts';
import { useGpu } from './helpers/gpu.ts';

const GUEST = join(import.meta.dirname, 'guest');

test('the package imports public entries, and files of its own', () => {
  const imports = readdirSync(GUEST).flatMap((name) =>
    [...readFileSync(join(GUEST, name), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from),
  );
  expect(imports.length).toBeGreaterThan(8);
  expect(imports.filter((from) => !/^webgpu-bnn(\/methods|\/node)?$|^\.\/\w+\.ts$/.test(from ?? ''))).toEqual(
    [],
  );
});

function expectWhole(result: Study): void {
  // The hook stopped two epochs of twelve steps, and the tap looked at every sixth step.
  expect(result).toMatchObject({ outcome: 'stopped', steps: 24, samples: [6, 12, 18, 24] });
  expect(result.accuracy).toBeGreaterThan(0.8);
  expect(result.pushed).toBeGreaterThan(0);
  expect(result.angles.map(({ name }) => name)).toEqual(['conv/kernel', 'hidden/kernel', 'last/kernel']);
  for (const { meanAngle } of result.angles) {
    expect(meanAngle).toBeGreaterThan(20);
    expect(meanAngle).toBeLessThan(45);
  }
  // Aborted after the layer was frozen; it stays so, and everything ends as it would have.
  expect(result.resumed.outcome).toBe('aborted');
  expect(result.resumed.step).toBeGreaterThanOrEqual(14);
  expect(result.resumed.step).toBeLessThan(24);
  expect(result.resumed).toMatchObject({
    frozen: ['conv/kernel'],
    kept: true,
    hash: result.hash,
    pushed: result.pushed,
  });
  const [folded, unfolded] = result.loaded;
  expect(folded).toEqual({ folded: ['before sign'], fused: ['hidden'], same: true });
  expect(unfolded).toEqual({ folded: [], fused: [], same: true });
  expect(result.plain).toEqual({ safetensors: true, onnx: true, tflite: true });
}

const gpu = useGpu();

describe("a guest's quantizer, optimizer, penalty, loss, layers, source and hook", () => {
  test('train, stop, go on, are saved, loaded, folded, tapped and measured in Node', async () => {
    expectWhole(await study(gpu()));
  });

  test('and in Chrome', async () => {
    await using chrome = await launchChrome();
    await using server = await servePages();
    const { page, errors } = await chrome.open(`${server.url}/test/pages/load.html`);
    const result = (await page.evaluate(`(async () => {
      const [{ Gpu }, { study }] = await Promise.all([import('/src/index.ts'), import('/test/guest/study.ts')]);
      return study(await Gpu.request());
    })()`)) as Study;
    expectWhole(result);
    expect(errors).toEqual([]);
  });
});

const failure = async (body: () => unknown): Promise<BnnError> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof BnnError) return error;
    throw error;
  }
  throw new Error('nothing failed');
};

describe('what a file lacks, and what is handed in', () => {
  const network = sequential(
    [
      flatten(),
      quantDense({ name: 'first', units: 32, kernelQuantizer: bump({ width: 1.5 }) }),
      shiftedSign({ name: 'threshold', quantizer: bump() }),
      quantDense({ name: 'last', units: 4, kernelQuantizer: 'steSign' }),
      new Clip({ limit: 2 }),
    ],
    { input: [8, 8, 1] },
  );
  const saved = saveModel('safetensors', network, initialValues(network, 1));

  test('a quantizer or layer that is missing is named, with the option that takes it', async () => {
    const file = await saved;
    const none = await failure(() => loadModel(file));
    expect(none).toBeInstanceOf(FormatError);
    expect(String(none)).toMatch(/no quantizer of this name[\s\S]*first: kernelQuantizer[\s\S]*acmeBump/);
    expect(none.remedy).toContain('with: [acmeBump]');
    const noLayer = await failure(() => loadModel(file, { with: [bump] }));
    expect(noLayer.remedy).toContain('with: [acme.shiftedSign]');
    // A guest's own layer asks for the quantizer that its configuration names.
    const onlyLayers = await failure(() => loadModel(file, { with: [shiftedSign, Clip] }));
    expect(onlyLayers.remedy).toContain('with: [acmeBump]');
    const { model } = await loadModel(file, { with: [Clip, bump, shiftedSign], fold: false });
    expect(model.layers.map(({ layer }) => layer.config)).toEqual([
      { name: 'flatten_1' },
      { name: 'first', units: 32, kernelQuantizer: { name: 'acmeBump', width: 1.5 } },
      { name: 'threshold', quantizer: 'acmeBump' },
      { name: 'last', units: 4, kernelQuantizer: 'steSign' },
      { limit: 2 },
    ]);
  });

  test('numbers out of bounds in a file are refused in the words of the quantizer', async () => {
    const narrow = defineQuantizer({
      ...bump.definition,
      parameters: { width: { default: 1, above: 0, to: 1.25, says: 'half width of the window' } },
    });
    const error = await failure(async () => loadModel(await saved, { with: [narrow, shiftedSign, Clip] }));
    expect(String(error)).toMatch(/out of its bounds[\s\S]*1\.5/);
  });

  test('names that are taken, and things that make nothing', async () => {
    const file = await saved;
    const taken = defineQuantizer({ ...bump.definition, name: 'steSign' });
    expect(String(await failure(() => loadModel(file, { with: [taken] })))).toMatch(/taken[\s\S]*steSign/);
    expect(String(await failure(() => loadModel(file, { with: [bump, bump] })))).toMatch(
      /taken[\s\S]*acmeBump/,
    );
    const odd = await failure(() => loadModel(file, { with: [{ name: 'x' } as never] }));
    expect(odd).toBeInstanceOf(OptionError);
    expect(odd.expected).toMatch(/defineQuantizer/);
  });
});

describe('defineLayer', () => {
  const shape = { outputShape: ([own]: Inputs<Shape>) => own };
  const forward = (_: unknown, [x]: readonly unknown[]) => ({ output: x, backward: () => ({ inputs: [] }) });

  test('a definition that lacks something, or names a quantizer otherwise', async () => {
    const lacking = [
      [{ kind: '', ...shape, forward }, /needs a kind/],
      [{ kind: 'a', ...shape }, /layer a[\s\S]*forward: undefined/],
      [{ kind: 'a', forward }, /outputShape: undefined/],
      [{ kind: 'a', ...shape, forward, inputs: 0 }, /inputs: 0/],
      [
        { kind: 'a', ...shape, forward, options: { gate: { quantizer: true, says: '' } } },
        /end in "quantizer"/,
      ],
      [
        { kind: 'a', ...shape, forward, options: { aQuantizer: { default: 1, says: '' } } },
        /end in "quantizer"/,
      ],
      [
        { kind: 'a', ...shape, forward, options: { limit: { default: 1, abov: 0, says: '' } } },
        /layer a: limit[\s\S]*did you mean above/,
      ],
      [{ kind: 'a', ...shape, forward, tratis: {} }, /layer a[\s\S]*did you mean traits/],
      [
        { kind: 'a', ...shape, forward, traits: { outptu: 'signs' } },
        /layer a: traits[\s\S]*did you mean output/,
      ],
    ] as const;
    for (const [definition, words] of lacking) {
      expect(String(await failure(() => defineLayer(definition as never)))).toMatch(words);
    }
  });

  test('options are checked by name, kind and bounds', async () => {
    const many = defineLayer({
      kind: 'acme.many',
      options: {
        units: { integer: true, from: 1, says: 'how many' },
        centred: { default: true, says: 'a flag' },
        mode: { default: 'fast', oneOf: ['fast', 'exact'], says: 'a word' },
      },
      outputShape: (_, { units }) => [units],
      forward: () => {
        throw new Error('not recorded here');
      },
    });
    expect(many.kind).toBe('acme.many');
    expect(many({ units: 3, name: 'own' })).toMatchObject({ name: 'own', config: { units: 3 } });
    expect(many({ units: 3 }).outputShape([[4]], 'own')).toEqual([3]);
    for (const [given, words] of [
      [{}, /units/],
      [{ units: 1.5 }, /whole number/],
      [{ units: 0 }, /1 or more/],
      [{ units: 1, centred: 'yes' }, /true or false/],
      [{ units: 1, mode: 'slow' }, /fast, exact/],
      [{ units: 1, centered: false }, /did you mean centred/],
    ] as const) {
      expect(String(await failure(() => many(given as never)))).toMatch(words);
    }
    expect(() => many({ units: 3 }).outputShape([[4], [4]], 'own')).toThrow(/2 inputs/);
  });

  test('traits let a normalisation fold behind integers of a guest, and before its signs', async () => {
    const twice = defineLayer({
      kind: 'acme.twice',
      ...shape,
      forward: ({ builder }, [x]) => ({
        output: ops.add(builder, x, x),
        backward: (gradient) => ({ inputs: [ops.add(builder, gradient, gradient)] }),
      }),
      operations: ([own]) => ({ binary: 0, float: own.reduce((size, extent) => size * extent, 1) }),
      traits: { output: 'integers' },
    });
    const plainSign = defineLayer({
      kind: 'acme.sign',
      ...shape,
      forward: ({ builder }, [x]) => ({
        output: ops.packSigns(builder, x),
        backward: (gradient) => ({ inputs: [gradient] }),
      }),
      traits: { output: 'signs', readsSigns: true },
    });
    const network = sequential(
      [
        flatten(),
        sign(),
        quantDense({ units: 64, kernelQuantizer: 'steSign' }),
        twice(),
        batchNormalization({ name: 'norm' }),
        plainSign(),
        quantDense({ name: 'last', units: 4, kernelQuantizer: 'steSign' }),
      ],
      { input: [8, 8, 1] },
    );
    expect(summarize(network).layers[3]?.operations.float).toBe(64);
    // Signs flow into the last layer, which has no quantizer of its own: its products are binary.
    expect(summarize(network).layers[6]?.operations).toEqual({ binary: 256, float: 0 });
    const values = initialValues(network, 5);
    values.set(
      'norm/runningMean',
      Float32Array.from({ length: 64 }, (_, i) => (i % 9) - 4.5),
    );
    const folded = foldForInference(network, values);
    expect(folded.folded).toEqual(['norm']);
    using before = await Network.create(gpu(), network, { values });
    using after = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
    const samples = Float32Array.from({ length: 10 * 64 }, (_, i) => Math.sin(i * i));
    expect([...(await after.predict(samples))]).toEqual([...(await before.predict(samples))]);
  });
});

describe('hooks', () => {
  const data = quadrants(400, 0);
  const model = () =>
    sequential(
      [
        flatten(),
        quantDense({ name: 'first', units: 32, kernelQuantizer: 'steSign' }),
        batchNormalization(),
        quantDense({ name: 'last', units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
        batchNormalization(),
      ],
      { input: [8, 8, 1] },
    );
  const train = async (hooks: FitHooks, epochs = 2) => {
    using trainer = await Trainer.create(gpu(), model(), data, { batch: 50, epochs });
    const result = await trainer.fit(hooks);
    return { ...result, hash: await trainer.network.hash(), values: await trainer.network.values() };
  };

  test('what is frozen keeps its bits and moves on when it is thawed; what is read is what was written', async () => {
    const seen: Float32Array[] = [];
    const frozen: (readonly string[])[] = [];
    const steps: number[] = [];
    const freezing: Hook = {
      everySteps: 3,
      async onSteps({ step, read, write, freeze, thaw }) {
        steps.push(step);
        if (step === 3) {
          const values = (await read('first/kernel')).map((w) => w / 2);
          await write('first/kernel', values);
          expect(await read('first/kernel')).toEqual(values);
          frozen.push(await freeze(/^first/), await freeze('last/kernel'), await thaw('last/kernel'));
        }
        seen.push(await read('first/kernel'), await read('last/kernel'));
        if (step === 9) frozen.push(await thaw(/./));
      },
    };
    const { outcome } = await train({ hooks: [freezing] });
    expect(outcome).toBe('finished');
    expect(steps).toEqual([3, 6, 9, 12, 15]);
    expect(frozen).toEqual([['first/kernel'], ['first/kernel', 'last/kernel'], ['first/kernel'], []]);
    const [first3, last3, first6, last6, first9, , first12] = seen;
    expect(first6).toEqual(first3);
    expect(first9).toEqual(first3);
    expect(last6).not.toEqual(last3);
    expect(first12).not.toEqual(first3);
  });

  test('a hook that only looks changes no bit; a stopped training goes on to the same bits', async () => {
    const plain = await train({});
    const looked = await train({
      hooks: [{ everySteps: 1, onSteps: async ({ read }) => void (await read('last/kernel')) }],
    });
    expect(looked.hash).toBe(plain.hash);
    using trainer = await Trainer.create(gpu(), model(), data, { batch: 50, epochs: 2 });
    const early = await trainer.fit({ hooks: [{ everySteps: 5, onSteps: () => 'stop' }] });
    expect(early).toMatchObject({ outcome: 'stopped', step: 5 });
    expect(await trainer.fit({ onEpoch: () => 'stop' })).toMatchObject({ outcome: 'stopped', step: 8 });
    expect(await trainer.fit({ onEpoch: () => 'stop' })).toMatchObject({ outcome: 'finished', step: 16 });
    expect(await trainer.network.hash()).toBe(plain.hash);
  });

  test('what a hook gets wrong is said, and the training can go on', async () => {
    const refusals: unknown[] = [];
    let late: (() => Promise<unknown>) | undefined;
    const clumsy: Hook = {
      everySteps: 4,
      async onSteps({ read, write, freeze, parameters }) {
        expect(parameters).toContain('first/kernel');
        const values = await read('last/kernel');
        for (const attempt of [
          () => read('last/kernal'),
          () => write('last/kernel', values.slice(1)),
          () => write('last/kernel', values.with(3, Number.NaN)),
          () => write('last/kernel', values.with(3, 1.5)),
          () => freeze(/^conv/),
        ]) {
          refusals.push(await attempt().catch((error: unknown) => error));
        }
        late = () => read('last/kernel');
      },
    };
    const { hash } = await train({ hooks: [clumsy] }, 1);
    expect(hash).toBe((await train({}, 1)).hash);
    const words = [/did you mean last\/kernel/, /127 values/, /NaN at 3/, /1\.5 at 3/, /first\/kernel/];
    expect(refusals.length).toBe(2 * words.length);
    for (const [i, error] of refusals.entries()) {
      expect(error).toBeInstanceOf(OptionError);
      expect(String(error)).toMatch(words[i % words.length] ?? /never/);
    }
    await expect(late?.()).rejects.toThrow(/hook is over/);
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ onSteps: () => undefined }, /everySteps = undefined/],
      [{ everySteps: 0, onSteps: () => undefined }, /positive integer/],
      [{ everySteps: 1 }, /neither onSteps nor onEpoch/],
      [{ onEpoch: 'stop' }, /onEpoch: string/],
      [{ onEpochs: () => 'stop' }, /did you mean onEpoch/],
    ];
    for (const [hook, said] of wrong) {
      expect(String(await failure(() => train({ hooks: [hook as Hook] }, 1)))).toMatch(said);
    }
    const clashing: Hook = {
      onEpoch: () => undefined,
      state: async () => new Map([['last/kernel', { dtype: 'F32', shape: [1], data: new Float32Array(1) }]]),
    };
    const saving = { hooks: [clashing], checkpoint: { save: async () => undefined } };
    expect(String(await failure(() => train(saving, 1)))).toMatch(/one name[\s\S]*last\/kernel/);
  });
});
