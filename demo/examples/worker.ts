/** The page's side of the worker example: it starts the worker, and shows what it says. */
import { finish, log } from './page.ts';
import type { FromWorker } from './worker-thread.ts';

const progress = document.querySelector('progress');
const worker = new Worker(new URL('./worker-thread.ts', import.meta.url), { type: 'module' });

worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
  switch (data.kind) {
    case 'steps':
      if (progress) progress.value = data.done;
      break;
    case 'text':
      log(data.text);
      break;
    case 'done':
      log(`held out: ${(100 * data.accuracy).toFixed(1)} % of ${data.count} digits`);
      finish('done');
      break;
    case 'failed':
      log(data.text);
      finish('failed');
  }
});
worker.addEventListener('error', ({ message }) => {
  log(message);
  finish('failed');
});
// Where the data lies is the page's business: a worker's own address is its script's.
worker.postMessage({ mnist: new URL('../mnist', location.href).href });
