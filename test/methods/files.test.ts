/** Files name quantizers: each that this library has is read again, those that pages don't carry too. */
import { describe, expect, test } from 'vitest';
import { encodeModel, readModelFile } from '../../src/formats/model-file.ts';
import { Network, sequential } from '../../src/graph/index.ts';
import { flatten, quantDense } from '../../src/layers/index.ts';
import type { Quantizer } from '../../src/methods/index.ts';
import { EVERY } from '../../src/methods/table.ts';
import { useGpu } from '../helpers/gpu.ts';

const gpu = useGpu();

describe('a model file of a network with', () => {
  for (const [name, make] of Object.entries(EVERY.quantizer)) {
    test(name, async () => {
      const quantizer = (make as () => Quantizer)();
      const { unfit = {} } = quantizer.definition;
      const layer = quantDense({
        name: 'last',
        units: 5,
        ...(unfit.activations === undefined && { inputQuantizer: quantizer }),
        kernelQuantizer:
          unfit.weights === undefined && quantizer.row?.isRandom !== true ? quantizer : 'steSign',
      });
      const model = sequential([flatten(), layer], { input: [2, 3, 4], name });
      using network = await Network.create(gpu(), model, { seed: 3 });
      const x = Float32Array.from({ length: 24 }, (_, i) => Math.sin(3 * i) / 2);
      const expected = await network.predict(x);

      const bytes = encodeModel(model, await network.packedValues());
      const { model: read, values } = await readModelFile(bytes, name);
      expect(read.layers[1]?.layer.config).toEqual(model.layers[1]?.layer.config);
      using loaded = await Network.create(gpu(), read, { values, forInference: true });
      expect([...(await loaded.predict(x))]).toEqual([...expected]);
    });
  }
});
