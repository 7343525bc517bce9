/** Trains a small network on MNIST in a worker: the library needs `navigator.gpu`, which workers have, and nothing else. */
import { fetchMnist, Gpu, measureGeometry, mlp, Trainer, takeFirst } from 'webgpu-bnn';

export type FromWorker =
  | { readonly kind: 'steps'; readonly done: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'done'; readonly accuracy: number; readonly count: number }
  | { readonly kind: 'failed'; readonly text: string };

const post = (message: FromWorker) => self.postMessage(message);

self.addEventListener('message', ({ data }: MessageEvent<{ mnist: string }>) => {
  train(data.mnist).catch((error: unknown) => {
    post({
      kind: 'failed',
      text: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    });
  });
});

async function train(folder: string): Promise<void> {
  const mnist = takeFirst(await fetchMnist(folder), 4000, 1000);
  using gpu = await Gpu.request();
  post({ kind: 'text', text: `adapter: ${gpu.adapter.name}` });
  const model = mlp({ input: mnist.image, classes: 10, units: 128 });
  using trainer = await Trainer.create(gpu, model, mnist, { epochs: 2, batch: 50 });
  await trainer.fit({
    onSteps: ({ step, batches, epochs }) => post({ kind: 'steps', done: step / (batches * epochs) }),
    onEpoch: ({ epoch, trainLoss }) =>
      post({ kind: 'text', text: `epoch ${epoch}: loss ${trainLoss.toFixed(3)}` }),
  });
  for (const { name, meanAngle } of await measureGeometry(trainer.network)) {
    post({ kind: 'text', text: `${name}: ${meanAngle.toFixed(2)} degrees from its signs` });
  }
  const { accuracy, count } = await trainer.evaluate();
  post({ kind: 'done', accuracy, count });
}
