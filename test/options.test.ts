/** Options that there are not are refused by name, with the nearest that there is, wherever there are options. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { FilterSurvey, GeometryTap, measureProportionality } from '../src/geometry/index.ts';
import { Gpu } from '../src/gpu/index.ts';
import { Network, sequential } from '../src/graph/index.ts';
import { initialValues, MODEL_NAMES, samplesOf } from '../src/index.ts';
import { flatten, quantConv2d, quantDense } from '../src/layers/index.ts';
import { LAYER_KINDS, makeLayer } from '../src/layers/registry.ts';
import { fetchDataset, imagesFromFolder, loadDataset, loadOwnData, requestGpu } from '../src/node/index.ts';
import { Classifier } from '../src/run/index.ts';
import * as zoo from '../src/zoo/index.ts';
import { useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
/** What a caller without types may hand in. */
const loose = <T>(value: unknown): T => value as T;

describe('an option that there is not', () => {
  test.each(LAYER_KINDS)('of the layer %s', (kind) => {
    const make = () => makeLayer(kind, { name: 'mine', nonsense: 1 }, 'test');
    expect(make).toThrow(OptionError);
    expect(make).toThrow(
      /no option of this name[\s\S]*mine[\s\S]*nonsense|no option of this name[\s\S]*nonsense/,
    );
  });

  test.each(MODEL_NAMES)('of the network %s', (name) => {
    const make = zoo.modelEntry(name).make as (options: object) => unknown;
    const made = { input: zoo.modelEntry(name).input, classes: 3 };
    const [own = 'classes'] = Object.keys(zoo.modelEntry(name).options);
    expect(() => make({ ...made, [`${own}s`]: 3 })).toThrow(new RegExp(`no option[\\s\\S]*mean ${own}\\?`));
  });

  test.each([
    [
      'kernel_quantizer',
      () => quantDense(loose({ units: 1, kernel_quantizer: 'steSign' })),
      /did you mean kernelQuantizer/,
    ],
    ['stride', () => quantConv2d(loose({ filters: 1, kernelSize: 3, stride: 2 })), /did you mean strides/],
    ['inputs', () => sequential([flatten()], loose({ inputs: [8] })), /did you mean input/],
    ['pair', () => new FilterSurvey(gpu(), loose({ pair: true })), /did you mean pairs/],
  ])('%s has a nearest one', (_, call, message) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  });

  test('of functions that read data', async () => {
    for (const [call, near] of [
      [() => loadOwnData('pictures', loose({ sise: [1, 2] })), 'size'],
      [() => imagesFromFolder('pictures', loose({ sise: [1, 2], grays: true })), 'size'],
      [() => loadDataset('mnist', loose({ foldr: 'x' })), 'folder'],
      [() => fetchDataset('mnist', loose({ frm: 'x' })), 'from'],
      [async () => samplesOf(loose({}), 'test', loose({ counts: 3 })), 'count'],
      [() => requestGpu(loose({ adapter: 'x' })), undefined],
      [() => requestGpu(loose({ adapter: 'hardwear' })), 'hardware'],
    ] as const) {
      await expect(call()).rejects.toBeInstanceOf(OptionError);
      await expect(call()).rejects.toThrow(near === undefined ? /no adapter/ : `did you mean ${near}?`);
    }
  });

  test('of functions that are awaited', async () => {
    const model = sequential([flatten(), quantDense({ units: 2, kernelQuantizer: 'steSign' })], {
      input: [2, 2, 1],
    });
    const network = await Network.create(gpu(), model);
    const samples = new Float32Array(4);
    const loaded = { model, values: initialValues(model, 1), classes: undefined, pixels: undefined };
    const classifier = await Classifier.create(gpu(), loose(loaded));
    for (const call of [
      () => Gpu.request(loose({ power: 'low' })),
      () => requestGpu(loose({ adapters: 'software' })),
      () => Network.create(gpu(), model, loose({ seeds: 1 })),
      () => GeometryTap.create(network, loose({ onSample: () => undefined, begin: 1 })),
      () => classifier.classify(samples, loose({ tops: 2 })),
      () => measureProportionality(network, samples, loose({ layer: ['a'] })),
    ]) {
      await expect(call()).rejects.toThrow(/no option of this name/);
      await expect(call()).rejects.toBeInstanceOf(OptionError);
    }
    classifier.dispose();
    network.dispose();
  });
});
