/**
 * What the queue costs: the same small matrix in one process and by a worker, one after the other in one run, and jobs that do
 * nothing by several workers. `npm run queue` prints a table; docs/several-machines.md has what it printed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openQueue } from '../src/nats/clients.ts';
import { coordinate } from '../src/nats/coordinate.ts';
import { queued } from '../src/nats/job.ts';
import { type Kind, type WorkOptions, work } from '../src/nats/work.ts';
import { buildCli } from './helpers/cli.ts';

const SERVER = ['nats-server', '/usr/sbin/nats-server'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const MATRIX = '--methods steSign,irNet --seeds 1 --epochs 4 --train-samples 500 --test-samples 200'.split(
  ' ',
);
const TRAININGS = 2;

let folder = '';
let server: ChildProcess;
let [url, monitor] = ['', ''];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn queue '));
  const [port, http] = [await freePort(), await freePort()];
  [url, monitor] = [`nats://127.0.0.1:${port}`, `http://127.0.0.1:${http}`];
  const file = join(folder, 'server.conf');
  const lines = [`listen: "127.0.0.1:${port}"`, `http: "127.0.0.1:${http}"`];
  writeFileSync(file, [...lines, `jetstream { store_dir: "${join(folder, 'store')}" }`, ''].join('\n'));
  server = spawn(SERVER ?? 'nats-server', ['-c', file], { stdio: 'ignore' });
  while (!(await fetch(`${monitor}/healthz`).catch(() => undefined))?.ok) await sleep(100);
});
afterAll(() => {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
});

test('the same matrix in one process and by a worker', async () => {
  const cli = await buildCli();
  const run = (args: readonly string[]) => spawn(process.execPath, [cli, ...args]);
  const worker = run(['worker', '--nats', url]);
  await until(worker, /ready/);
  const compare = async (out: string, ...more: string[]) => {
    const before = processorSeconds(worker) + processorSeconds(server);
    const start = performance.now();
    const files = ['--json', join(folder, `${out}.json`), '--out', join(folder, out)];
    const child = run(['compare', ...MATRIX, ...files, ...more]);
    let own = 0;
    const watch = setInterval(() => {
      own = Math.max(own, processorSeconds(child));
    }, 50);
    const code = await new Promise((done) => child.on('close', done));
    clearInterval(watch);
    expect(code).toBe(0);
    const others = processorSeconds(worker) + processorSeconds(server) - before;
    return { seconds: (performance.now() - start) / 1000, processor: own + others };
  };
  const rows: Record<string, object> = {};
  // The first turn compiles shaders, which are kept.
  for (const turn of [1, 2, 3]) {
    // Other numbers in each turn: else the queue has the results already.
    const batch = ['--batch', String(99 + turn)];
    rows[`in one process ${turn}`] = await compare(`here ${turn}`, ...batch);
    const before = await traffic();
    rows[`by a worker ${turn}`] = await compare(`there ${turn}`, ...batch, '--nats', url);
    rows[`server, a training ${turn}`] = per(TRAININGS, before, await traffic());
  }
  worker.kill('SIGTERM');
  console.table(rows);
  const hashes = (name: string) =>
    JSON.parse(readFileSync(join(folder, name), 'utf8')).results.map(
      (result: { readonly weightsSha256: string }) => result.weightsSha256,
    );
  expect(hashes('there 1.json')).toEqual(hashes('here 1.json'));
});

test('jobs that do nothing', async () => {
  const JOBS = 400;
  const echo: Kind<number> = {
    schema: v.number(),
    title: String,
    run: async (task) => ({ state: 'done', task }),
  };
  const rows: Record<string, object> = {};
  for (const workers of [1, 4, 16]) {
    const queue = await openQueue({ url });
    const stop = new AbortController();
    const options = {
      gpu: undefined,
      adapter: { name: 'none', software: true },
      kinds: { echo },
      signal: stop.signal,
    };
    const queues = await Promise.all(Array.from({ length: workers }, () => openQueue({ url })));
    const working = queues.map((one) => work(one, options as unknown as WorkOptions));
    const jobs = Array.from({ length: JOBS }, (_, number) => queued('echo', 1e6 * workers + number));
    const before = await traffic();
    const start = performance.now();
    const results = await coordinate<number>(queue, jobs, {
      read: (text) => JSON.parse(text).task,
      refused: () => Number.NaN,
    });
    const seconds = (performance.now() - start) / 1000;
    expect(results).toEqual(jobs.map(({ task }) => task));
    rows[`${workers} workers`] = { 'jobs/s': JOBS / seconds, ...per(JOBS, before, await traffic()) };
    stop.abort();
    await Promise.all(working);
    await Promise.all([queue, ...queues].map((one) => one.close()));
  }
  console.table(rows);
});

test('workers that wait', async () => {
  const [WORKERS, SECONDS] = [20, 10];
  const stop = new AbortController();
  const options = { kinds: {}, signal: stop.signal } as unknown as WorkOptions;
  const queues = await Promise.all(Array.from({ length: WORKERS }, () => openQueue({ url })));
  const working = queues.map((one) => work(one, options));
  await sleep(1000);
  const before = await traffic();
  await sleep(1000 * SECONDS);
  console.table({ 'a worker, a second': per(WORKERS * SECONDS, before, await traffic()) });
  stop.abort();
  await Promise.all(working);
  await Promise.all(queues.map((one) => one.close()));
});

test('checkpoints', async () => {
  const queue = await openQueue({ url });
  const rows: Record<string, object> = {};
  for (const megabytes of [1, 16, 64]) {
    const bytes = new Uint8Array(megabytes * 2 ** 20).map((_, i) => i * 31);
    const start = performance.now();
    await queue.keepCheckpoint('measured', bytes);
    const kept = performance.now();
    expect((await queue.checkpoint('measured'))?.length).toBe(bytes.length);
    const read = performance.now();
    rows[`${megabytes} MB`] = {
      'kept, MB/s': (1000 * megabytes) / (kept - start),
      'read, MB/s': (1000 * megabytes) / (read - kept),
    };
  }
  await queue.dropCheckpoint('measured');
  await queue.close();
  console.table(rows);
});

/** Messages and bytes that came to the server and left it, and its processor time. */
async function traffic() {
  const { in_msgs, in_bytes, out_msgs, out_bytes } = await (await fetch(`${monitor}/varz`)).json();
  return { in_msgs, in_bytes, out_msgs, out_bytes, processor: processorSeconds(server) };
}

type Traffic = Awaited<ReturnType<typeof traffic>>;

function per(jobs: number, before: Traffic, after: Traffic) {
  return {
    'messages in': (after.in_msgs - before.in_msgs) / jobs,
    'messages out': (after.out_msgs - before.out_msgs) / jobs,
    'kB in': (after.in_bytes - before.in_bytes) / jobs / 1000,
    'kB out': (after.out_bytes - before.out_bytes) / jobs / 1000,
    'server, ms': (1000 * (after.processor - before.processor)) / jobs,
  };
}

/** What the kernel has counted of a process: user and system. */
function processorSeconds({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

function until(child: ChildProcess, text: RegExp): Promise<void> {
  return new Promise((done, fail) => {
    child.stdout?.on('data', (chunk) => text.test(String(chunk)) && done());
    child.on('close', () => fail(new Error('It ended.')));
  });
}

const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

function freePort(): Promise<number> {
  return new Promise((done) => {
    const one = createServer().listen(0, '127.0.0.1', () => {
      const address = one.address();
      one.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
