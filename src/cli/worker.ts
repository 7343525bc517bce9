/** `webgpu-bnn worker`: does jobs that a NATS server has. */
import { Command } from 'commander';
import { OptionError, printable } from '../errors.ts';
import { benches, members, type NamedData, openQueue, surveys, trainings, work } from '../nats/index.ts';
import { npx } from '../npx.ts';
import { benchOfWorker } from './bench.ts';
import { dataOfJob } from './named-data.ts';
import { type NatsFlags, serverOf, shownServer, withNats } from './nats.ts';
import { type AdapterOptions, acquire, describeAdapter, positiveInteger, withAdapter } from './options.ts';
import { allowCodeOption, guestsOf } from './packages.ts';
import { interruption } from './train.ts';
import { seats } from './votes.ts';

interface Flags extends AdapterOptions, NatsFlags {
  readonly jobs?: number;
  readonly data?: string;
  readonly allowCode: readonly string[];
}

export function workerCommand(): Command {
  return withNats(withAdapter(new Command('worker')), 'the server that jobs come from')
    .description('do jobs that a NATS server has: one worker for each GPU')
    .option('--data <folder>', 'files that jobs may name, by their place below it')
    .addOption(allowCodeOption())
    .option('--jobs <n>', 'end after so many', positiveInteger)
    .addHelpText(
      'after',
      `
Jobs name methods, networks, data sets and files below --data; a worker runs no code of others but --allow-code. Ctrl+C gives a job back with its checkpoint.

Examples:
  $ nats-server -js
  $ webgpu-bnn worker --nats nats://host
  $ webgpu-bnn worker --nats nats://host --data models
  $ webgpu-bnn compare --methods steSign,irNet,bop --nats nats://host
  $ webgpu-bnn train --votes 4 --nats nats://host
  $ webgpu-bnn geometry models/llama --data models --nats nats://host`,
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
  const queue = await openQueue(server);
  const gpu = await acquire(flags);
  say(`adapter   ${describeAdapter(gpu)}`);
  say(`queue     ${shownServer(server)}`);
  const interrupt = interruption(say);
  try {
    const { name, software } = gpu.adapter;
    const load = (named: NamedData) => dataOfJob(named, flags.data);
    const done = await work(queue, {
      ...{ gpu, adapter: { name, software }, signal: interrupt.signal, most: flags.jobs },
      kinds: {
        training: trainings(load, (packages) => guestsOf(packages, flags.allowCode)),
        member: members(load),
        survey: surveys(flags.data),
        vote: seats(queue),
        bench: benches((gpu, options, measuring) => benchOfWorker(gpu, options, measuring, flags)),
      },
      print: (text) => say(printable(text)),
      onReady: () => say('ready     waits for jobs'),
    });
    say(`${done} jobs done`);
  } finally {
    interrupt.release();
    await queue.close();
    gpu.dispose();
  }
}
