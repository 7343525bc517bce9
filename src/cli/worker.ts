/** `webgpu-bnn worker`: takes trainings from a NATS server. */
import { Command } from 'commander';
import { OptionError, printable } from '../errors.ts';
import { Queue, work } from '../nats/index.ts';
import { loadDataset } from '../node/index.ts';
import { npx } from '../npx.ts';
import { type NatsFlags, serverOf, shownServer, withNats } from './nats.ts';
import { type AdapterOptions, acquire, describeAdapter, positiveInteger, withAdapter } from './options.ts';
import { interruption } from './train.ts';

interface Flags extends AdapterOptions, NatsFlags {
  readonly jobs?: number;
}

export function workerCommand(): Command {
  return withNats(withAdapter(new Command('worker')), 'the server that jobs come from')
    .description('take trainings from a NATS server: one worker for each GPU')
    .option('--jobs <n>', 'end after so many', positiveInteger)
    .addHelpText(
      'after',
      `
Jobs name methods, networks and data sets; a worker runs no code of others. Ctrl+C gives a training back with its checkpoint.

Examples:
  $ nats-server -js
  $ webgpu-bnn worker --nats nats://host
  $ webgpu-bnn compare --methods steSign,irNet,bop --nats nats://host`,
    )
    .action(worker);
}

async function worker(flags: Flags): Promise<void> {
  const server = serverOf(flags);
  if (server === undefined) {
    throw new OptionError('A worker needs to be told where jobs come from.', {
      given: 'no --nats',
      where: 'worker',
      remedy: `--nats nats://host; ${npx('compare')} works without it on one machine`,
    });
  }
  const say = (text: string) => console.log(text);
  const queue = await Queue.open(server);
  const gpu = await acquire(flags);
  say(`adapter   ${describeAdapter(gpu)}`);
  say(`queue     ${shownServer(server)}`);
  const interrupt = interruption(say);
  try {
    const { name, software } = gpu.adapter;
    const done = await work(queue, {
      ...{ gpu, adapter: { name, software }, load: loadDataset, signal: interrupt.signal, most: flags.jobs },
      onJob: ({ job }, step) =>
        say(printable(`${job.method}, seed ${job.seed}${step > 0 ? `: goes on after step ${step}` : ''}`)),
      onSaved: ({ job }, step) => say(printable(`${job.method}, seed ${job.seed}: saved after step ${step}`)),
      onDone: ({ job }, state) => say(printable(`${job.method}, seed ${job.seed}: ${state}`)),
    });
    say(`${done} jobs done`);
  } finally {
    interrupt.release();
    await queue.close();
    gpu.dispose();
  }
}
