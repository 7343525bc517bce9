/** Training as a whole: it learns, it is deterministic, it resumes exactly, it fails clearly, and it leaks nothing. */
import { describe, expect, test } from 'vitest';
import { DeviceLostError, MemoryPlanError, NonFiniteError, OptionError, ShapeError } from '../src/errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../src/formats/checkpoint.ts';
import { measureGeometry } from '../src/geometry/measure.ts';
import { apply, initialValues, input, type Model, model, Network, sequential } from '../src/graph/index.ts';
import {
  add,
  averagePool2d,
  batchNormalization,
  concat,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  quantConv2d,
  quantDense,
  sign,
} from '../src/layers/index.ts';
import type { QuantizerName } from '../src/methods/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { type Checkpoint, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const data = quadrants(600, 200);
const small = (): Model => mlp({ input: [8, 8, 1], classes: 4, units: 64 });
const options: TrainerOptions = { batch: 50, epochs: 3, seed: 7 };

/** Binary weights, all the quantizers, both branches of the graph, and every layer. */
function everything(): Model {
  const x = input([8, 8, 1]);
  const first = apply(
    quantConv2d({
      filters: 8,
      kernelSize: 3,
      padding: 'same',
      kernelQuantizer: 'steIdentity',
      useBias: true,
    }),
    x,
  );
  const norm = apply(batchNormalization(), first);
  const left = apply(
    quantConv2d({
      filters: 8,
      kernelSize: 3,
      padding: 'same',
      inputQuantizer: 'approxSign',
      kernelQuantizer: 'approxSign',
    }),
    norm,
  );
  const right = apply(
    conv2d({ filters: 8, kernelSize: 1, useBias: true }),
    apply(sign({ quantizer: 'swishSign' }), norm),
  );
  const sum = apply(add(), apply(batchNormalization({ scale: false }), left), right);
  const both = apply(
    concat(),
    apply(maxPool2d({ poolSize: 2 }), sum),
    apply(averagePool2d({ poolSize: 2 }), norm),
  );
  const deep = apply(
    quantConv2d({
      filters: 16,
      kernelSize: 2,
      inputQuantizer: 'steSign',
      kernelQuantizer: 'swishSign',
      padValue: 1,
    }),
    apply(dropout({ rate: 0.1 }), both),
  );
  const pooled = apply(globalAveragePool2d(), apply(batchNormalization({ center: false }), deep));
  const flat = apply(flatten(), apply(batchNormalization(), both));
  const wide = apply(
    quantDense({ units: 16, inputQuantizer: 'steIdentity', kernelQuantizer: 'steSign' }),
    flat,
  );
  const joined = apply(concat(), pooled, apply(batchNormalization(), wide));
  const signs = apply(sign(), joined);
  return model({ input: x, output: apply(dense({ units: 4, useBias: true }), signs), name: 'everything' });
}

describe('training', () => {
  const gpu = useGpu();

  test('a small network learns, and its angles are reported', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const { outcome, epochs } = await trainer.fit();
    expect(outcome).toBe('finished');
    expect(epochs.length).toBe(3);
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
    const evaluation = await trainer.evaluate();
    expect(evaluation.accuracy).toBe(epochs.at(-1)?.testAccuracy);
    expect(evaluation.count).toBe(200);
    for (const layer of await measureGeometry(trainer.network)) {
      expect(layer.meanAngle).toBeGreaterThan(20);
      expect(layer.meanAngle).toBeLessThan(50);
    }
  });

  test('weights start uniform, at 30 degrees to their signs in every layer', async () => {
    using trainer = await Trainer.create(
      gpu(),
      mlp({ input: [8, 8, 1], classes: 4, units: 256 }),
      data,
      options,
    );
    for (const { meanAngle, dimension, filters, nonFinite } of await measureGeometry(trainer.network)) {
      // Uniform weights: 30°, with a standard deviation of 0.3162/√d radians a filter.
      const tolerance = (4 * 0.3162 * (180 / Math.PI)) / Math.sqrt(dimension * filters);
      expect(Math.abs(meanAngle - 30)).toBeLessThan(tolerance + 8 / dimension);
      expect(nonFinite).toBe(0);
    }
  });

  test('weights that are no numbers are counted, since their signs hide them', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const values = await trainer.network.values();
    values.get('dense2/kernel')?.fill(Number.NaN, 3, 10);
    await trainer.network.load(values);
    const geometry = await measureGeometry(trainer.network);
    expect(geometry.map(({ name, nonFinite }) => [name, nonFinite])).toEqual([
      ['dense1/kernel', 0],
      ['dense2/kernel', 7],
      ['dense3/kernel', 0],
    ]);
  });

  test('every layer and quantizer trains in a branching graph', async () => {
    using trainer = await Trainer.create(gpu(), everything(), data, {
      ...options,
      loss: 'crossEntropy',
      learningRate: 0.01,
    });
    const { epochs } = await trainer.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.8);
  });

  test.each(['adam', 'sgd', 'bop'] as const)('%s learns', async (optimizer) => {
    using trainer = await Trainer.create(gpu(), small(), data, {
      ...options,
      epochs: 4,
      optimizer: optimizer === 'bop' ? { name: 'bop', gamma: 1e-2, threshold: 1e-6 } : optimizer,
      learningRate: optimizer === 'sgd' ? 0.1 : 0.01,
    });
    const { epochs } = await trainer.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.8);
  });

  test.each(['steSign', 'steIdentity', 'approxSign', 'swishSign'] as QuantizerName[])(
    '%s learns as quantizer of inputs and weights',
    async (quantizer) => {
      const binary = { inputQuantizer: quantizer, kernelQuantizer: quantizer } as const;
      const net = sequential(
        [
          flatten(),
          quantDense({ units: 64, kernelQuantizer: quantizer }),
          batchNormalization(),
          quantDense({ units: 4, ...binary }),
          batchNormalization(),
        ],
        { input: [8, 8, 1] },
      );
      using trainer = await Trainer.create(gpu(), net, data, options);
      const { epochs } = await trainer.fit();
      expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
    },
  );

  test('the packed mirror is the sign of the latent weights after every step', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, { ...options, learningRate: 0.05 });
    for (let i = 0; i < 5; i++) {
      await trainer.runSteps(1);
      for (const { value, packed, spec, name } of trainer.network.binaryParameters) {
        if (packed === undefined) throw new Error(`${name} has no packed mirror`);
        const [rows = 1, channels = 1] = spec.shape;
        expectSame(
          await gpu().readWords(packed),
          packSigns(await gpu().readFloats(value), rows, channels),
          name,
        );
      }
    }
  });

  test('no readback and one submit a step, several steps a submit', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    await trainer.runSteps(1);
    const before = { ...gpu().counters };
    await trainer.runSteps(8);
    expect(gpu().counters.submits - before.submits).toBe(1);
    expect(gpu().counters.readbacks - before.readbacks).toBe(1);
  });
});

describe('determinism', () => {
  const gpu = useGpu();

  test('the same seed gives the same weights, another seed others', async () => {
    const hashes: string[] = [];
    for (const seed of [3, 3, 4]) {
      using trainer = await Trainer.create(gpu(), everything(), data, { ...options, epochs: 1, seed });
      await trainer.fit();
      hashes.push(await trainer.network.hash());
    }
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[2]).not.toBe(hashes[0]);
  });

  test('steps that take long are submitted in parts, with the same weights, and no readback between them', async () => {
    const { counters, pace } = gpu();
    const { secondsOfSubmit } = pace;
    const hashes: string[] = [];
    for (const seconds of [1e6, 1e-12]) {
      pace.secondsOfSubmit = seconds;
      using trainer = await Trainer.create(gpu(), everything(), data, { ...options, epochs: 1 });
      const before = { ...counters };
      await trainer.runSteps(2);
      expect(counters.submits - before.submits).toBe(seconds < 1 ? 2 * trainer.dispatches : 1);
      expect(counters.readbacks - before.readbacks).toBe(1);
      await trainer.profile();
      hashes.push(await trainer.network.hash());
    }
    pace.secondsOfSubmit = secondsOfSubmit;
    expect(hashes[1]).toBe(hashes[0]);
  });

  test('how steps are grouped into submits changes nothing', async () => {
    const hashes: string[] = [];
    for (const group of [1, 5, 12]) {
      using trainer = await Trainer.create(gpu(), small(), data, options);
      for (let done = 0; done < 24; ) done += (await trainer.runSteps(Math.min(group, 24 - done))).length;
      hashes.push(await trainer.network.hash());
    }
    expect(new Set(hashes).size).toBe(1);
  });

  test.each(['adam', 'sgd', 'bop'] as const)(
    'stopped at any step and resumed from the file, %s ends with the same weights',
    async (optimizer) => {
      const setup: TrainerOptions = {
        ...options,
        epochs: 2,
        optimizer,
        augment: [{ name: 'crop', pad: 1 }, 'flip'],
      };
      const straight = await (async () => {
        using trainer = await Trainer.create(gpu(), small(), data, setup);
        const { epochs } = await trainer.fit();
        return { hash: await trainer.network.hash(), loss: epochs.map(({ trainLoss }) => trainLoss) };
      })();
      for (const stopAt of [1, 5, 12, 17]) {
        let file: Uint8Array<ArrayBuffer> | undefined;
        {
          using trainer = await Trainer.create(gpu(), small(), data, setup);
          const stop = new AbortController();
          const { outcome } = await trainer.fit({
            signal: stop.signal,
            checkpoint: {
              everySteps: 1,
              save: async (checkpoint) => {
                if (checkpoint.progress.step !== stopAt) return;
                file = encodeCheckpoint(checkpoint);
                stop.abort();
              },
            },
          });
          expect(outcome).toBe('aborted');
        }
        if (file === undefined) throw new Error('nothing was saved');
        using trainer = await Trainer.create(gpu(), small(), data, setup);
        await trainer.restore(decodeCheckpoint(file, 'memory').checkpoint);
        const { epochs } = await trainer.fit();
        expect(await trainer.network.hash()).toBe(straight.hash);
        expect(epochs.map(({ trainLoss }) => trainLoss)).toEqual(straight.loss);
      }
    },
  );
});

describe('memory', () => {
  test('what is planned is what is allocated, nothing grows over 1,000 steps, and nothing is left', async () => {
    using gpu = await requestGpu();
    const trainer = await Trainer.create(gpu, small(), data, options);
    expect(gpu.memory.bytes).toBe(trainer.plan.peakBytes);
    const { buffers } = gpu.memory;
    for (let done = 0; done < 1000; ) done += (await trainer.runSteps(12)).length;
    expect(gpu.memory.bytes).toBe(trainer.plan.peakBytes);
    expect(gpu.memory.peakBytes).toBe(trainer.plan.peakBytes);
    expect(gpu.memory.buffers).toBe(buffers);
    trainer.dispose();
    expect(gpu.memory.bytes).toBe(0);
    expect(gpu.memory.buffers).toBe(0);
    expect(() => trainer.dispose()).toThrow(/disposed already/);
  });

  test.each([
    ['of a network that keeps signs', small],
    ['of one whose values are wide', () => mlp({ input: [8, 8, 1], classes: 4, units: 300 })],
  ])(
    'the diagnosis of a bad loss takes no more than was planned, and a word a name: %s',
    async (_, build) => {
      using gpu = await requestGpu();
      const model = build();
      using trainer = await Trainer.create(gpu, model, data, { ...options, batch: 200 });
      // Not read back from the GPU, which takes memory.
      const values = initialValues(model, 1);
      const last = [...values.keys()].findLast((name) => name.endsWith('/gamma')) ?? '';
      values.get(last)?.fill(3e38);
      await trainer.network.load(values);
      const { bytes } = gpu.memory;
      expect(bytes).toBe(trainer.plan.peakBytes);
      await expect(trainer.runSteps(1)).rejects.toThrow(/first in (layer|the loss)/);
      expect(gpu.memory.bytes).toBe(bytes);
      // The words, and the buffer that they are read by.
      const words = 4 * (values.size + model.layers.length);
      expect(gpu.memory.peakBytes).toBeLessThanOrEqual(trainer.plan.peakBytes + 2 * words + 32);
    },
  );
});

describe('what goes wrong is said, and loses nothing', () => {
  const gpu = useGpu();

  test('a plan beyond the limit is refused before anything is allocated', async () => {
    const { bytes } = gpu().memory;
    await expect(Trainer.create(gpu(), small(), data, { ...options, maxBytes: 100_000 })).rejects.toThrow(
      MemoryPlanError,
    );
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test('a batch that no buffer can hold is refused with the name of the layer', async () => {
    const { bytes } = gpu().memory;
    const many = quadrants(40_000, 10);
    const wide = sequential(
      [flatten(), quantDense({ name: 'wide', units: 20_000, kernelQuantizer: 'steSign' })],
      {
        input: [8, 8, 1],
      },
    );
    const create = Trainer.create(gpu(), wide, many, { ...options, batch: 40_000 });
    await expect(create).rejects.toThrow(MemoryPlanError);
    await expect(create).rejects.toThrow(/wide/);
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test.each([
    ['images of another shape', () => mlp({ input: [9, 9, 1], classes: 4, units: 8 }), {}, ShapeError],
    ['fewer outputs than classes', () => mlp({ input: [8, 8, 1], classes: 3, units: 8 }), {}, ShapeError],
    ['a batch larger than the data set', small, { batch: 601 }, OptionError],
    ['no epochs', small, { epochs: 0 }, OptionError],
    ['a seed that is no integer', small, { seed: 0.5 }, OptionError],
    ['an unknown loss', small, { loss: 'hinge' as 'squaredHinge' }, OptionError],
    ['an unknown optimizer', small, { optimizer: 'lion' as 'adam' }, OptionError],
  ])('%s', async (_, build, more, error) => {
    await expect(Trainer.create(gpu(), build(), data, { ...options, ...more })).rejects.toThrow(error);
  });

  test.each([
    ['norm3/gamma', Number.NaN, /parameter norm3\/gamma/],
    ['norm3/gamma', 3e38, /layer norm3|the loss/],
  ])(
    '%s = %d stops at the step, names the culprit, and keeps weights and statistics',
    async (name, value, culprit) => {
      using trainer = await Trainer.create(gpu(), small(), data, options);
      await trainer.runSteps(3);
      const values = await trainer.network.values();
      values.get(name)?.fill(value);
      await trainer.network.load(values);
      const before = await trainer.network.hash();
      const failure = await trainer.runSteps(4).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(NonFiniteError);
      expect(String(failure)).toMatch(culprit);
      expect(String(failure)).toMatch(/step 3/);
      expect(await trainer.network.hash()).toBe(before);
    },
  );

  test('a device lost in the middle is a typed error, and the saved checkpoint goes on to the same weights', async () => {
    const straight = await (async () => {
      using trainer = await Trainer.create(gpu(), small(), data, options);
      await trainer.fit();
      return await trainer.network.hash();
    })();
    const doomed = await requestGpu();
    let saved: Checkpoint | undefined;
    const trainer = await Trainer.create(doomed, small(), data, options);
    const training = trainer.fit({
      onSteps: ({ step }) => {
        if (step >= 20) doomed.device.destroy();
      },
      checkpoint: {
        everySteps: 6,
        save: async (checkpoint) => {
          saved = checkpoint;
        },
      },
    });
    await expect(training).rejects.toThrow(DeviceLostError);
    await expect(trainer.evaluate()).rejects.toThrow(DeviceLostError);
    if (saved === undefined) throw new Error('nothing was saved before the loss');
    expect(saved.progress.step % 6).toBe(0);
    using again = await Trainer.create(gpu(), small(), data, options);
    await again.restore(saved);
    await again.fit();
    expect(await again.network.hash()).toBe(straight);
  });

  test('a hook that throws leaves host and GPU together: going on ends with the same weights', async () => {
    const straight = await (async () => {
      using trainer = await Trainer.create(gpu(), small(), data, options);
      await trainer.fit();
      return await trainer.network.hash();
    })();
    using trainer = await Trainer.create(gpu(), small(), data, options);
    for (const stopAt of [3, 15, 30]) {
      const failing = trainer.fit({
        onSteps: ({ step }) => {
          if (step >= stopAt) throw new Error('a fault of the page');
        },
      });
      await expect(failing).rejects.toThrow(/fault of the page/);
    }
    await trainer.fit();
    expect(await trainer.network.hash()).toBe(straight);
  });

  test('after a loss that is not finite, the steps before it count, and a checkpoint can be restored', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    await trainer.runSteps(3);
    const checkpoint = await trainer.checkpoint();
    const values = await trainer.network.values();
    values.get('norm3/gamma')?.fill(Number.NaN);
    await trainer.network.load(values);
    await expect(trainer.runSteps(2)).rejects.toThrow(NonFiniteError);
    expect(trainer.progress.step).toBe(3);
    await trainer.restore(checkpoint);
    const resumed = (await trainer.runSteps(4)).map(({ loss }) => loss);
    using other = await Trainer.create(gpu(), small(), data, options);
    await other.runSteps(3);
    expect(resumed).toEqual((await other.runSteps(4)).map(({ loss }) => loss));
  });

  test('restoring after a whole fit goes back to the counters of the checkpoint', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    await trainer.runSteps(5);
    const checkpoint = await trainer.checkpoint();
    const next = (await trainer.runSteps(3)).map(({ loss }) => loss);
    await trainer.fit();
    await trainer.restore(checkpoint);
    expect((await trainer.runSteps(3)).map(({ loss }) => loss)).toEqual(next);
  });

  test('a profiled step counts like any other', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    if ((await trainer.profile()) === undefined) await trainer.runSteps(1);
    expect(trainer.progress).toMatchObject({ step: 1, batch: 1, count: 50 });
    expect(trainer.progress.lossSum).toBeGreaterThan(0);
    await trainer.runSteps(4);
    using other = await Trainer.create(gpu(), small(), data, options);
    await other.runSteps(5);
    expect(await trainer.network.hash()).toBe(await other.network.hash());
  });

  test.each(['linear', 'exponential', 'cosine'] as const)('a %s decay runs to its end', async (decay) => {
    const to = decay === 'exponential' ? 1e-5 : 0;
    using trainer = await Trainer.create(gpu(), small(), data, {
      ...options,
      epochs: 2,
      learningRate: { from: 0.02, to, decay },
    });
    const { epochs } = await trainer.fit();
    expect(epochs.at(-1)?.learningRate).toBeCloseTo(to, 9);
  });

  test('a schedule is asked for the steps there are', async () => {
    const asked: number[] = [];
    using trainer = await Trainer.create(gpu(), small(), data, {
      ...options,
      epochs: 2,
      learningRate: (step) => {
        asked.push(step);
        return 0.01;
      },
    });
    await trainer.fit();
    expect(Math.max(...asked)).toBe(23);
  });

  test('a trainer at work is not disposed', async () => {
    const trainer = await Trainer.create(gpu(), small(), data, options);
    const training = trainer.fit();
    expect(() => trainer.dispose()).toThrow(/busy/);
    await training;
    trainer.dispose();
  });

  test('wrong parameters change nothing and leave no memory behind', async () => {
    const { bytes } = gpu().memory;
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const values = await trainer.network.values();
    const before = await trainer.network.hash();
    const first = [...values.keys()][0] ?? '';
    const wrong = new Map(
      [...values].map(([name, array]) => [name, name === first ? array.map((v) => -v) : array.subarray(1)]),
    );
    await expect(trainer.network.load(wrong)).rejects.toThrow(ShapeError);
    expect(await trainer.network.hash()).toBe(before);
    const held = gpu().memory.bytes;
    await expect(Network.create(gpu(), small(), { values: wrong })).rejects.toThrow(ShapeError);
    expect(gpu().memory.bytes).toBe(held);
    expect(held).toBeGreaterThan(bytes);
  });

  test('predictions asked for at the same time agree, and share their memory', async () => {
    const { bytes } = gpu().memory;
    const network = await Network.create(gpu(), small(), { seed: 3 });
    const samples = Float32Array.from({ length: 5 * 64 }, (_, i) => Math.sin(i));
    const [a, b] = await Promise.all([network.predict(samples), network.predict(samples)]);
    expect([...a]).toEqual([...b]);
    network.dispose();
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test('a checkpoint of other options is refused', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const checkpoint = await trainer.checkpoint();
    using other = await Trainer.create(gpu(), small(), data, { ...options, batch: 25 });
    await expect(other.restore(checkpoint)).rejects.toThrow(/batch = 25/);
  });

  test('a checkpoint that lacks a tensor is refused', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const { tensors, progress } = await trainer.checkpoint();
    const fewer = new Map([...tensors].slice(1));
    await expect(trainer.restore({ tensors: fewer, progress })).rejects.toThrow(/lacks a tensor/);
  });

  test('a trainer does one thing at a time', async () => {
    using trainer = await Trainer.create(gpu(), small(), data, options);
    const training = trainer.fit();
    await expect(trainer.evaluate()).rejects.toThrow(/busy/);
    await training;
  });
});
