/** Loads an ONNX file that others made, and names digits: of MNIST, and of a picture that a visitor chooses. */
import { fetchMnist, Gpu, loadModel } from 'webgpu-bnn';
import { log, run } from './page.ts';

/** TFC with one bit a weight and an activation, of the QONNX model zoo; its licence lies beside it. */
const MODEL = new URL('../../test/fixtures/qonnx-tfc/TFC_1W1A.onnx', import.meta.url);

/** A picture's grey values, 28x28. */
async function greyOf(file: Blob): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file, { resizeWidth: 28, resizeHeight: 28, resizeQuality: 'high' });
  const context = new OffscreenCanvas(28, 28).getContext('2d');
  if (context === null) throw new Error('this browser draws nothing');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, 28, 28);
  return Uint8Array.from({ length: 784 }, (_, i) =>
    Math.round(0.299 * (data[4 * i] ?? 0) + 0.587 * (data[4 * i + 1] ?? 0) + 0.114 * (data[4 * i + 2] ?? 0)),
  );
}

run(async () => {
  const loaded = await loadModel(MODEL.href);
  log(`${loaded.format}: ${loaded.model.layers.length} layers`);
  const gpu = await Gpu.request();
  // The file doesn't say how it takes bytes: its makers trained it on values from 0 to 1.
  const classifier = await loaded.createClassifier(gpu, { pixels: '0:1' });

  const { test } = await fetchMnist(new URL('../mnist', location.href).href);
  const { results } = await classifier.classify(test.images.subarray(0, 1000 * 784), { top: 1 });
  const right = results.filter(([best], i) => best?.name === String(test.labels[i])).length;
  log(`right: ${right} of ${results.length} digits of MNIST`);

  document.getElementById('picture')?.addEventListener('change', (event) => {
    const [file] = (event.target as HTMLInputElement).files ?? [];
    if (file === undefined) return;
    run(async () => {
      const { results: named } = await classifier.classify(await greyOf(file), { top: 2 });
      const best = named[0]?.map(({ name, score }) => `${name} (${score.toFixed(2)})`);
      log(`${file.name}: ${best?.join(', then ')}`);
    });
  });
});
