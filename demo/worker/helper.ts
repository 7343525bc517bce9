/** The worker thread of a tab that does jobs of a NATS server: trainings with MNIST, one after another. */
import { Gpu, OptionError } from '../../src/index.ts';
import { connectQueue } from '../../src/nats/open.ts';
import { trainings } from '../../src/nats/trainings.ts';
import { work } from '../../src/nats/work.ts';
import { loadMnist } from './mnist.ts';
import { type Trouble, troubleOf } from './protocol.ts';

/** What the page tells it: where to begin, or to stop. */
export type HelpOrder =
  | {
      readonly kind: 'begin';
      readonly url: string;
      readonly user: string;
      readonly password: string;
      /** URL of the folder of MNIST's pieces. */
      readonly mnist: string;
    }
  | { readonly kind: 'stop' };

/** What it tells the page. */
export type HelpNews =
  | { readonly kind: 'waiting'; readonly adapter: string }
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'over'; readonly jobs: number }
  | { readonly kind: 'trouble'; readonly trouble: Trouble };

const stopping = new AbortController();
const tell = (news: HelpNews) => postMessage(news);

addEventListener('message', ({ data: order }: MessageEvent<HelpOrder>) => {
  if (order.kind === 'stop') stopping.abort();
  else help(order).catch((cause: unknown) => tell({ kind: 'trouble', trouble: troubleOf(cause) }));
});

async function help({ url, user, password, mnist }: Extract<HelpOrder, { kind: 'begin' }>): Promise<void> {
  const queue = await connectQueue({ url, ...(user === '' ? {} : { user, password }) });
  try {
    const gpu = await Gpu.request();
    const { name, software } = gpu.adapter;
    const jobs = await work(queue, {
      ...{ gpu, adapter: { name, software }, signal: stopping.signal },
      kinds: { training: trainings((named) => load(mnist, named)) },
      print: (text) => tell({ kind: 'line', text }),
      onReady: () => tell({ kind: 'waiting', adapter: name }),
    });
    gpu.dispose();
    tell({ kind: 'over', jobs });
  } finally {
    await queue.close();
  }
}

/** What a page has is MNIST; as much of it is loaded as is asked for. */
async function load(
  folder: string,
  {
    dataset,
    own,
    trainSamples = 60_000,
    testSamples = 10_000,
  }: Parameters<Parameters<typeof trainings>[0]>[0],
) {
  if (own === undefined && dataset === 'mnist')
    return await loadMnist(folder, { train: trainSamples, test: testSamples }, () => {});
  throw new OptionError('A page has MNIST, and no other data.', {
    given: dataset,
    expected: 'mnist',
    where: 'a job of the queue',
    remedy: 'start a worker beside the data: npx webgpu-bnn worker',
  });
}
