/**
 * Trains in Node, saves the network as ONNX, and runs what was saved. In a project with webgpu-bnn, after
 * `npx webgpu-bnn setup`: `node node.mjs`.
 */
import { loadDataset, loadModel, mlp, requestGpu, saveTraining, Trainer, takeFirst } from 'webgpu-bnn/node';

const digits = takeFirst(await loadDataset('mnist'), 4000, 1000);
const gpu = await requestGpu();
console.log('adapter:', gpu.adapter.name);
const model = mlp({ input: digits.image, classes: 10, units: 128 });
const trainer = await Trainer.create(gpu, model, digits, { epochs: 2, batch: 50 });
await trainer.fit({
  onEpoch: ({ epoch, trainLoss }) => console.log(`epoch ${epoch}: loss ${trainLoss.toFixed(3)}`),
});
console.log('held out:', (await trainer.evaluate()).accuracy);
await saveTraining(trainer, 'digits.onnx');

const loaded = await loadModel('digits.onnx');
const classifier = await loaded.createClassifier(gpu);
const { results } = await classifier.classify(digits.test.images.subarray(0, 500 * 784), { top: 1 });
const right = results.filter(([best], i) => best.name === String(digits.test.labels[i])).length;
console.log(`digits.onnx: ${right} of ${results.length} right`);
