/** Trains a network on MNIST in the page, and names digits that it has not seen. */
import { fetchMnist, Gpu, measureGeometry, mlp, Trainer, takeFirst } from 'webgpu-bnn';
import { log, run } from './page.ts';

run(async () => {
  const mnist = takeFirst(await fetchMnist(new URL('../mnist', location.href).href), 4000, 1000);
  using gpu = await Gpu.request();
  log(`adapter: ${gpu.adapter.name}`);
  const model = mlp({ input: mnist.image, classes: 10, units: 128 });
  using trainer = await Trainer.create(gpu, model, mnist, { epochs: 2, batch: 50 });
  await trainer.fit({
    onEpoch: ({ epoch, trainLoss, trainAccuracy }) =>
      log(`epoch ${epoch}: loss ${trainLoss.toFixed(3)}, ${(100 * trainAccuracy).toFixed(1)} % right`),
  });
  const { accuracy, count } = await trainer.evaluate();
  log(`held out: ${(100 * accuracy).toFixed(1)} % of ${count} digits`);

  // Bytes as the network takes them: from -1 to 1, as MNIST says itself.
  const [scale = 1, shift = 0] = [mnist.normalise.scale[0], mnist.normalise.shift[0]];
  const ten = Float32Array.from(mnist.test.images.subarray(0, 10 * 784), (byte) => byte * scale + shift);
  const scores = await trainer.network.predict(ten);
  const named = Array.from({ length: 10 }, (_, i) => {
    const row = scores.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row));
  });
  log(`ten digits: ${named.join(' ')}, truly ${[...mnist.test.labels.subarray(0, 10)].join(' ')}`);
  for (const { name, meanAngle, expectedAngle } of await measureGeometry(trainer.network)) {
    log(
      `${name}: ${meanAngle.toFixed(1)} degrees from its signs; random filters: ${expectedAngle.toFixed(1)}`,
    );
  }
});
