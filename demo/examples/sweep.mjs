/**
 * Compares quantizers of activations over seeds, each on the same data: what a paper's table is made of. In a project with
 * webgpu-bnn, after `npx webgpu-bnn setup`: `node sweep.mjs`.
 */
import {
  batchNormalization,
  flatten,
  loadDataset,
  quantDense,
  requestGpu,
  sequential,
  Trainer,
  takeFirst,
} from 'webgpu-bnn/node';

const data = takeFirst(await loadDataset('mnist'), 3000, 1000);
const gpu = await requestGpu();

/** Two hidden layers, whose activations become signs by `inputQuantizer`. */
const network = (inputQuantizer) => {
  const binary = { inputQuantizer, kernelQuantizer: 'steSign' };
  const layers = [
    quantDense({ units: 64, kernelQuantizer: 'steSign' }),
    quantDense({ units: 64, ...binary }),
  ];
  const last = quantDense({ units: 10, ...binary });
  const normalized = [...layers, last].flatMap((layer) => [layer, batchNormalization()]);
  return sequential([flatten(), ...normalized], { input: data.image });
};

for (const quantizer of ['steSign', 'approxSign', 'swishSign']) {
  const found = [];
  for (const seed of [1, 2, 3]) {
    const trainer = await Trainer.create(gpu, network(quantizer), data, { epochs: 1, batch: 50, seed });
    await trainer.fit();
    found.push(100 * (await trainer.evaluate()).accuracy);
    trainer.dispose();
  }
  const mean = found.reduce((sum, each) => sum + each, 0) / found.length;
  const sd = Math.sqrt(found.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (found.length - 1));
  console.log(`${quantizer.padEnd(12)}${mean.toFixed(1)} % +- ${sd.toFixed(1)} over ${found.length} seeds`);
}
