/** Work that workers take from a real NATS server, through the built command line. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../src/formats/safetensors.ts';
import { openQueue } from '../src/nats/clients.ts';
import { normal } from '../src/numerics/random.ts';
import { launchChrome } from './helpers/chrome.ts';
import { buildCli, type Run, runCli } from './helpers/cli.ts';
import { serveFolder } from './helpers/static.ts';

const SERVER = ['nats-server', '/usr/sbin/nats-server'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
if (SERVER === undefined) console.log('did not run: no nats-server');

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Run>;
  /** Until it printed something. */
  printed(text: RegExp): Promise<string>;
}

function start(program: string, args: readonly string[], cwd = process.cwd()): Started {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  const listeners = new Set<() => void>();
  const told = () => {
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    told();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    told();
  });
  const ended = new Promise<Run>((done) =>
    child.on('close', (code) => {
      done({ code, stdout, stderr });
      told();
    }),
  );
  return {
    ...{ child, ended },
    printed: (text) =>
      new Promise((done, fail) => {
        const look = () => {
          if (text.test(stdout) || text.test(stderr)) done(stdout);
          else if (child.exitCode !== null || child.signalCode !== null)
            fail(new Error(`it ended: ${stdout}${stderr}`));
        };
        listeners.add(look);
        look();
      }),
  };
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

describe.skipIf(SERVER === undefined)('beyond one machine', () => {
  let cli: string;
  let folder: string;
  const running = new Set<Started>();
  const keep = (started: Started) => {
    running.add(started);
    return started;
  };

  beforeAll(async () => {
    cli = await buildCli();
    folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn nats '));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async ({ task }) => {
    for (const { child, ended } of running) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      const { stdout, stderr } = await ended;
      if (task.result?.state === 'fail') console.log(`${child.spawnargs.join(' ')}\n${stdout}${stderr}`);
    }
    running.clear();
  });

  async function serve(port: number, config: string): Promise<Started> {
    const file = join(folder, `server ${port}.conf`);
    writeFileSync(file, `listen: "127.0.0.1:${port}"\n${config}\n`);
    const server = keep(start(SERVER ?? '', ['-c', file]));
    await server.printed(/Server is ready/);
    return server;
  }
  const stored = (name: string, more = '') =>
    `jetstream { store_dir: "${join(folder, `store of ${name}`)}"${more} }`;
  const worker = (url: string, ...more: string[]) =>
    keep(start(process.execPath, [cli, 'worker', '--nats', url, ...more]));
  const matrix = (out: string, ...more: string[]) => [
    ...['compare', '--methods', 'steSign,irNet,bop', '--seeds', '1,2,3,4', '--epochs', '6', '--batch', '25'],
    ...['--train-samples', '100', '--test-samples', '50', '--out', join(folder, out)],
    ...['--json', join(folder, `${out}.json`), ...more],
  ];
  const one = (out: string, ...more: string[]) => [
    ...['compare', '--methods', 'steSign', '--seeds', '1', '--epochs', '2', '--batch', '50', ...more],
    ...['--train-samples', '100', '--test-samples', '50', '--out', join(folder, out)],
  ];
  /** What must not depend on who trained. */
  const essence = (file: string) => {
    const { methods, results } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    return {
      results: results.map((result: Record<string, unknown> & { epochs: object[] }) => ({
        ...{ ...result, imagesPerSecond: 0, adapter: 0 },
        epochs: result.epochs.map((epoch) => ({ ...epoch, seconds: 0 })),
      })),
      methods: methods.map((method: object) => ({ ...method, imagesPerSecond: 0 })),
    };
  };

  test('twelve trainings by three workers, one killed, one paused, server and coordinator restarted: the results of one process', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    let server = await serve(port, stored('matrix'));
    const first = keep(start(process.execPath, [cli, ...matrix('over', '--nats', url, '--nats-lease', '4')]));
    await first.printed(/^queued/m);
    const [killed, paused, steady] = [worker(url), worker(url), worker(url)];

    await first.printed(/^\d+\/12 /m);
    // In the middle of a training: after an epoch of six that isn't the last.
    const inTheMiddle = /saved after step (4|8|12|16|20)\n$/;
    await Promise.all([
      killed.printed(inTheMiddle).then(() => killed.child.kill('SIGKILL')),
      paused.printed(inTheMiddle).then(() => paused.child.kill('SIGSTOP')),
    ]);
    first.child.kill('SIGKILL');
    await Promise.all([first.ended, killed.ended]);
    server.child.kill('SIGTERM');
    await server.ended;
    server = await serve(port, stored('matrix'));

    const resumed = ['compare', '--resume', join(folder, 'over'), '--json', join(folder, 'over.json')];
    const second = keep(start(process.execPath, [cli, ...resumed, '--nats', url]));
    // Longer than its lease of four seconds.
    await new Promise((done) => setTimeout(done, 10_000));
    paused.child.kill('SIGCONT');
    const over = await second.ended;
    expect(over.stderr).not.toMatch(/Error/);
    expect(over.code).toBe(0);
    steady.child.kill('SIGTERM');
    paused.child.kill('SIGTERM');
    const left = await Promise.all([steady.ended, paused.ended]);
    expect(left.map(({ code }) => code)).toEqual([0, 0]);
    // What the killed one and the paused one had went on from where it was saved.
    expect(left.map(({ stdout }) => stdout).join('')).toMatch(/goes on after step [1-9]/);

    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    expect((await manager.streams.info('webgpu-bnn-jobs')).state.messages).toBe(0);
    await connection.close();

    const whole = await runCli(cli, matrix('whole'));
    expect(whole.code).toBe(0);
    expect(essence('over.json').results).toHaveLength(12);
    expect(essence('over.json')).toEqual(essence('whole.json'));
    expect(JSON.parse(readFileSync(join(folder, 'over.json'), 'utf8')).results[0].adapter.name).toMatch(/\w/);
  });

  test('a checkpoint that is replaced while it is read is the old or the new one; one whose parts are gone is none', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('checkpoints'));
    const [reader, writer] = await Promise.all([openQueue({ url }), openQueue({ url })]);
    const filled = (value: number) => new Uint8Array(4_000_001).fill(value);
    await writer.keepCheckpoint('a', filled(0));
    for (let round = 1; round <= 8; round++) {
      const [read] = await Promise.all([reader.checkpoint('a'), writer.keepCheckpoint('a', filled(round))]);
      expect([round - 1, round]).toContain(read?.[0]);
      expect(Buffer.compare(read ?? new Uint8Array(), filled(read?.[0] ?? 0))).toBe(0);
    }
    const manager = await jetstreamManager(writer.connection);
    // As a writer leaves it that died between the parts of the old one and its own.
    await manager.streams.purge('OBJ_webgpu-bnn-checkpoints', { filter: '$O.webgpu-bnn-checkpoints.C.>' });
    expect(await reader.checkpoint('a')).toBeUndefined();
    await writer.keepCheckpoint('a', filled(9));
    expect((await reader.checkpoint('a'))?.[0]).toBe(9);
    await Promise.all([reader.close(), writer.close()]);
  });

  test('a training that kills its worker three times in the same place ends with its error in the table', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('poison'));
    const coordinator = keep(
      start(process.execPath, [cli, ...one('poison', '--nats', url, '--nats-lease', '2')]),
    );
    await coordinator.printed(/^queued/m);
    for (let tried = 0; tried < 3; tried++) {
      const victim = worker(url);
      // It says so before its first step, of which there is no checkpoint yet.
      await victim.printed(/seed 1/);
      victim.child.kill('SIGKILL');
      await victim.ended;
    }
    worker(url);
    const { code, stdout } = await coordinator.ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/failed once: QueueError: Its worker was lost, 3 times in the same place/);
  });

  test('a job of another version goes back, and three workers that refuse it end it', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('version'));
    const coordinator = keep(start(process.execPath, [cli, ...one('version', '--nats', url)]));
    await coordinator.printed(/^queued/m);
    coordinator.child.kill('SIGTERM');
    const stopped = await coordinator.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toMatch(/compare --resume .* --nats nats:/);

    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    // The job that was put, as one of tomorrow.
    const put = await manager.streams.getMessage('webgpu-bnn-jobs', { seq: 1 });
    const job = put?.json<object>() ?? {};
    await manager.streams.purge('webgpu-bnn-jobs');
    await jetstream(connection).publish(
      put?.subject ?? '',
      JSON.stringify({ ...job, version: 3, code: '9.9.9' }),
    );
    for (let tried = 0; tried < 3; tried++) {
      const refused = await worker(url).ended;
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/QueueError: The job is of another version/);
      expect(refused.stderr).toMatch(/remedy: .*webgpu-bnn@9\.9\.9 worker/);
      expect((await manager.streams.info('webgpu-bnn-jobs')).state.messages).toBe(1);
    }
    await connection.close();
    const again = keep(
      start(process.execPath, [cli, 'compare', '--resume', join(folder, 'version'), '--nats', url]),
    );
    await again.printed(/^queued/m);
    worker(url);
    expect((await again.ended).stdout).toMatch(/failed once: QueueError: The job is of another version/);
  });

  test('no server, wrong credentials, no JetStream, methods that are code: what to do is said', async () => {
    const nowhere = `nats://127.0.0.1:${await freePort()}`;
    const missing = await runCli(cli, ['worker', '--nats', nowhere]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/QueueError: No NATS server answers[\s\S]*remedy: .*nats-server -js/);

    const closed = await freePort();
    await serve(closed, `${stored('closed')}\nauthorization { user: u, password: secretword }`);
    const wrong = await runCli(cli, ['worker', '--nats', `nats://u:wrongword@127.0.0.1:${closed}`]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/QueueError: The NATS server refuses these credentials/);
    expect(wrong.stderr).not.toMatch(/wrongword/);

    const plain = await freePort();
    await serve(plain, '');
    const without = await runCli(cli, ['worker', '--nats', `nats://127.0.0.1:${plain}`]);
    expect(without.code).toBe(1);
    expect(without.stderr).toMatch(/QueueError: The NATS server has no JetStream[\s\S]*nats-server -js/);

    const own = join(folder, 'mine.js');
    writeFileSync(own, 'export const mine = 1;\n');
    const code = await runCli(cli, ['compare', '--methods', own, '--nats', nowhere]);
    expect(code.code).toBe(2);
    const unknown = await runCli(cli, ['worker', '--nats', 'http://127.0.0.1']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/OptionError: There is no such address of a NATS server/);
  });

  test('a store that is full ends the worker with a remedy, and the job stays in the queue', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('full', ', max_file_store: 262144'));
    const coordinator = keep(start(process.execPath, [cli, ...one('full', '--nats', url)]));
    await coordinator.printed(/^queued/m);
    const full = await worker(url).ended;
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(
      /QueueError: The store of the NATS server is full[\s\S]*remedy: .*max_file_store/,
    );
    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    expect((await manager.streams.info('webgpu-bnn-jobs')).state.messages).toBe(1);
    await connection.close();
  });

  test('a worker with other data, or without them, says which, and gives the job back', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('data'));
    const coordinator = keep(start(process.execPath, [cli, ...one('data', '--nats', url)]));
    await coordinator.printed(/^queued/m);
    coordinator.child.kill('SIGTERM');
    await coordinator.ended;
    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    const put = await manager.streams.getMessage('webgpu-bnn-jobs', { seq: 1 });
    const job = put?.json<{ task: { data: object } }>() ?? { task: { data: {} } };
    job.task.data = { ...job.task.data, digest: 'of others' };
    await manager.streams.purge('webgpu-bnn-jobs');
    const client = jetstream(connection);
    await client.publish('webgpu-bnn.jobs.other', JSON.stringify(job));
    const other = await worker(url).ended;
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/QueueError: The data here are not what the job was made with/);
    expect((await manager.streams.info('webgpu-bnn-jobs')).state.messages).toBe(1);
    await manager.streams.purge('webgpu-bnn-jobs');
    await connection.close();
  });

  /** A file of matrices of these shapes, with numbers that follow from the seed. */
  const weights = (name: string, seed: number, shapes: Readonly<Record<string, readonly number[]>>) => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const tensors = Object.entries(shapes).map(([tensor, shape], stream) => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const data = Float32Array.from({ length: count }, (_, i) => 0.05 * normal(seed, stream, i));
      return [tensor, { dtype: 'F32', shape: [...shape], data }] as const;
    });
    writeFileSync(path, encodeSafetensors(Object.fromEntries(tensors)));
  };

  test('shards and folders of models, surveyed by workers, give the survey of one process to the bit', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('survey'));
    const shapes = { a: [64, 100], bias: [64], c: [32, 3, 3, 16] };
    weights('my models/big/m-1.safetensors', 1, shapes);
    weights('my models/big/m-2.safetensors', 2, { d: [512, 300], zeros: [4, 2] });
    const files = { a: 1, bias: 1, c: 1, d: 2, zeros: 2 };
    const index = Object.entries(files).map(([tensor, file]) => [tensor, `m-${file}.safetensors`]);
    const indexFile = join(folder, 'my models', 'big', 'm.safetensors.index.json');
    writeFileSync(indexFile, JSON.stringify({ weight_map: Object.fromEntries(index) }));
    weights('my models/small.run/model.safetensors', 3, { w: [10, 1000] });
    const root = join(folder, 'my models');
    const survey = (out: string, ...more: string[]) => [
      ...['geometry', root, '--pairs', '--rotate', '--json', join(folder, `survey ${out}.json`), ...more],
    ];
    const resumed = join(folder, 'layers.json');
    const first = keep(
      start(process.execPath, [cli, ...survey('over', '--nats', url, '--data', folder, '--resume', resumed)]),
    );
    expect(await first.printed(/^queued/m)).toMatch(/queued +5 tensors/);
    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    const put = await manager.streams.getMessage('webgpu-bnn-jobs', { seq: 1 });
    const job = put?.json<{ task: object }>() ?? { task: {} };

    const without = await worker(url).ended;
    expect(without.code).toBe(4);
    expect(without.stderr).toMatch(/DataUnavailableError: .*does not have[\s\S]*my models\/.*\.safetensors/);
    expect(without.stderr).toMatch(/remedy: .*worker --nats \.\.\. --data FOLDER/);
    const other = join(folder, 'another machine');
    weights('another machine/my models/big/m-1.safetensors', 9, shapes);
    const wrong = await worker(url, '--data', other, '--jobs', '1').ended;
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/QueueError: The file here is not the one that the job was made with/);

    const workers = [worker(url, '--data', folder), worker(url, '--data', folder)];
    const over = await first.ended;
    expect(over.stderr).toBe('');
    expect(over.code).toBe(0);
    const whole = await runCli(cli, survey('whole'));
    expect(whole.code).toBe(0);
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const [there, here] = [read('survey over.json'), read('survey whole.json')];
    const names = here.layers.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(['big:a', 'big:c', 'big:d', 'big:zeros', 'small.run/model:w']);
    for (const field of ['layers', 'skipped', 'weights', 'spreadSlope', 'model'])
      expect(there[field]).toEqual(here[field]);
    expect(there.adapter.name).toBe(here.adapter.name);
    expect(read('layers.json').layers).toHaveLength(5);

    for (const { child } of workers) child.kill('SIGTERM');
    expect((await Promise.all(workers.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([0, 0]);

    // A path that leads out of what a worker was given.
    const task = { ...job.task, file: '../../etc/model.safetensors' };
    await jetstream(connection).publish('webgpu-bnn.jobs.outside', JSON.stringify({ ...job, task }));
    const outside = await worker(url, '--data', folder).ended;
    expect(outside.code).toBe(2);
    expect(outside.stderr).toMatch(/OptionError: A job names a file that is not below the folder of data/);
    await connection.close();
  });

  test('a bench of all workers is one table, and without workers it says what starts one', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('bench'));
    const bench = (...more: string[]) => [
      ...['bench', '--quick', '--no-peers', '--suite', 'training', '--models', 'mlp', '--nats', url, ...more],
    ];
    const alone = await runCli(cli, bench());
    expect(alone.code).toBe(1);
    expect(alone.stderr).toMatch(/QueueError: No worker answers[\s\S]*remedy: .*worker --nats/);
    expect((await runCli(cli, bench('--html', join(folder, 'bench.html')))).code).toBe(2);
    const workers = [worker(url), worker(url)];
    await Promise.all(workers.map((one) => one.printed(/^ready/m)));
    const json = join(folder, 'bench.json');
    const both = await runCli(cli, bench('--json', json));
    expect(both.stderr).toBe('');
    expect(both.code).toBe(0);
    expect(both.stdout).toMatch(/queued +a bench for each of 2 workers/);
    expect(both.stdout).toMatch(/training mlp, batch \d+ .*\d images\/s .*\d images\/s/);
    const { reports } = JSON.parse(readFileSync(json, 'utf8'));
    expect(reports).toHaveLength(2);
    for (const report of reports) expect(report.training[0].losses.length).toBeGreaterThan(1);
    // Each worker did one, and not the faster of them both.
    for (const { child } of workers) child.kill('SIGTERM');
    const left = await Promise.all(workers.map(({ ended }) => ended));
    expect(left.map(({ stdout }) => stdout.match(/^bench: done$/gm)?.length)).toEqual([1, 1]);
  });

  test('a server with a certificate of its own is talked to with --nats-ca, and else not', async () => {
    const port = await freePort();
    const at = (name: string) => join(folder, name);
    const openssl = (...args: string[]) => {
      const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
    };
    const subject = (name: string) => ['-nodes', '-newkey', 'rsa:2048', '-days', '1', '-subj', `/CN=${name}`];
    const own = ['-keyout', at('ca.key'), '-out', at('ca.pem')];
    openssl('req', '-x509', ...subject('an authority'), ...own);
    openssl('req', ...subject('localhost'), '-keyout', at('server.key'), '-out', at('server.csr'));
    writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('names')];
    openssl('x509', '-req', '-days', '1', '-in', at('server.csr'), '-out', at('server.pem'), ...signed);
    const tls = `tls { cert_file: "${at('server.pem')}", key_file: "${at('server.key')}" }`;
    await serve(port, `${stored('tls')}\n${tls}\nauthorization { user: u, password: secretword }`);

    const url = `tls://localhost:${port}`;
    const without = await runCli(cli, ['worker', '--nats', url]);
    expect(without.code).toBe(1);
    expect(without.stderr).toMatch(
      /QueueError: The certificate .* is not trusted[\s\S]*remedy: .*--nats-ca FILE/,
    );
    for (const [option, word] of [
      ['--nats-ca', 'PEM certificates'],
      ['--nats-creds', 'credentials'],
    ] as const) {
      const missing = await runCli(cli, ['worker', '--nats', url, option, at('no such file')]);
      expect(missing.code).toBe(2);
      expect(missing.stderr).toMatch(new RegExp(`OptionError: [^]*${word}[^]*remedy: .*${option} FILE`));
    }
    const trusted = ['--nats', url, '--nats-ca', at('ca.pem'), '--nats-user', 'u', '--nats-password'];
    const wrong = await runCli(cli, ['worker', ...trusted, 'wrongword']);
    expect(wrong.stderr).toMatch(/QueueError: The NATS server refuses these credentials/);
    const right = keep(start(process.execPath, [cli, 'worker', ...trusted, 'secretword']));
    await right.printed(/^ready/m);
    right.child.kill('SIGTERM');
    expect((await right.ended).code).toBe(0);
  });

  test('data of a person are found below what the worker was given, compared by digest, and no code', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('own'));
    const table = (name: string, seed: number) => {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      const rows = Array.from({ length: 60 }, (_, row) => [
        ...[0, 1, 2].map((column) => (normal(seed, row, column) + (row % 2)).toFixed(3)),
        row % 2 === 0 ? 'even' : 'odd',
      ]);
      writeFileSync(path, [['a', 'b', 'c', 'kind'], ...rows].map((row) => row.join(',')).join('\n'));
    };
    table('my sets/rows.csv', 1);
    table('another machine/my sets/rows.csv', 2);
    const compare = (out: string, ...more: string[]) => [
      ...['compare', '--methods', 'steSign', '--seeds', '1', '--epochs', '2', '--batch', '10'],
      ...['--dataset', join(folder, 'my sets', 'rows.csv'), '--label', 'kind', '--out', join(folder, out)],
      ...['--json', join(folder, `${out}.json`), ...more],
    ];
    const code = join(folder, 'my sets', 'rows.js');
    writeFileSync(code, 'export default () => { throw new Error("it ran"); };\n');
    const above = await runCli(cli, compare('above', '--nats', url, '--data', join(folder, 'other')));
    expect(above.code).toBe(2);
    expect(above.stderr).toMatch(/OptionError: .* not below it[\s\S]*remedy: .*--data FOLDER/);

    const first = keep(
      start(process.execPath, [cli, ...compare('own over', '--nats', url, '--data', folder)]),
    );
    await first.printed(/^queued/m);
    const without = await worker(url).ended;
    expect(without.code).toBe(4);
    expect(without.stderr).toMatch(/DataUnavailableError[\s\S]*my sets\/rows\.csv[\s\S]*--data FOLDER/);
    const wrong = await worker(url, '--data', join(folder, 'another machine')).ended;
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/QueueError: The data here are not what the job was made with/);
    worker(url, '--data', folder);
    const over = await first.ended;
    expect(over.stderr).toBe('');
    expect(over.code).toBe(0);
    expect((await runCli(cli, compare('own whole'))).code).toBe(0);
    expect(essence('own over.json')).toEqual(essence('own whole.json'));
  });

  test('an ensemble by workers is that of one process; boosting, whose members follow from each other, is refused', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('ensemble'));
    const ensemble = (out: string, ...more: string[]) => [
      ...['ensemble', '--members', '2', '--epochs', '2', '--batch', '50', '--method', 'approxSign'],
      ...['--train-samples', '100', '--test-samples', '50', '--json', join(folder, out), ...more],
    ];
    const boosting = await runCli(cli, ensemble('boosting.json', '--rule', 'A', '--nats', url));
    expect(boosting.code).toBe(2);
    expect(boosting.stderr).toMatch(/OptionError: Each member of a boosting[\s\S]*without --nats/);
    const steady = worker(url);
    const over = await runCli(cli, ensemble('over ensemble.json', '--nats', url));
    expect(over.stderr).toBe('');
    expect(over.code).toBe(0);
    steady.child.kill('SIGTERM');
    expect((await steady.ended).stdout).toMatch(/approxSign, member 2: done/);
    const whole = await runCli(cli, ensemble('whole ensemble.json'));
    expect(whole.code).toBe(0);
    expect(whole.stdout).toMatch(/together, soft vote/);
    const read = (name: string) => ({ ...JSON.parse(readFileSync(join(folder, name), 'utf8')), made: 0 });
    expect(read('over ensemble.json')).toEqual(read('whole ensemble.json'));
    expect(read('over ensemble.json').alone).toHaveLength(2);
  });

  test('methods of a package travel by name and version, to workers that allow them', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('packages'));
    const entry = pathToFileURL(join(dirname(cli), 'methods.js')).href;
    const project = join(folder, 'a project');
    const install = (version: string) => {
      const home = join(project, 'node_modules', 'their-methods');
      mkdirSync(home, { recursive: true });
      const about = { name: 'their-methods', version, type: 'module', exports: { import: './main.js' } };
      writeFileSync(join(home, 'package.json'), JSON.stringify(about));
      writeFileSync(
        join(home, 'main.js'),
        `import { defineLoss } from ${JSON.stringify(entry)};
        export const plain = defineLoss({ name: 'plain', formula: '-o of the class', source: 'this test',
          wgsl: 'fn row_loss(row: Row) -> f32 { var loss = 0.0; for (var c = 0u; c < OUTPUTS; c++) {' +
            'let side = 2.0 * wanted(row, c) - 1.0; loss -= side * output(row, c);' +
            'set_gradient(row, c, -side / row.rows); } return loss; }',
          twin: ({ outputs, wanted }) => ({
            loss: outputs.reduce((sum, o, c) => sum - (2 * wanted[c] - 1) * o, 0),
            gradient: wanted.map((t) => 1 - 2 * t) }) });`,
      );
    };
    install('1.2.3');
    const compare = (out: string, ...more: string[]) => [
      ...[
        'compare',
        '--methods',
        'npm:their-methods#plain',
        '--seeds',
        '1',
        '--epochs',
        '2',
        '--batch',
        '50',
      ],
      ...['--train-samples', '100', '--test-samples', '50', '--out', join(folder, out)],
      ...['--json', join(folder, `${out}.json`), ...more],
    ];
    const working = (...more: string[]) =>
      keep(start(process.execPath, [cli, 'worker', '--nats', url, ...more], project));
    const first = keep(start(process.execPath, [cli, ...compare('theirs over', '--nats', url)], project));
    await first.printed(/^queued/m);
    const refused = await working('--allow-code', 'their-methods@1.2.4').ended;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /QueueError: .* package[\s\S]*remedy: .*npm install their-methods@1\.2\.3, .*--allow-code their-methods@1\.2\.3/,
    );
    install('1.2.4');
    expect((await working('--allow-code', 'their-methods@1.2.3').ended).stderr).toMatch(
      /their-methods@1\.2\.4/,
    );
    install('1.2.3');
    working('--allow-code', 'their-methods@1.2.3');
    const over = await first.ended;
    expect(over.stderr).toBe('');
    expect(over.code).toBe(0);
    expect((await runCli(cli, compare('theirs whole'), { cwd: project })).code).toBe(0);
    expect(essence('theirs over.json')).toEqual(essence('theirs whole.json'));
  });

  /** A short training, and what it says of itself. */
  const voting = (out: string, ...more: string[]) => [
    ...[
      'train',
      '--model-options',
      'units=64',
      '--train-samples',
      '400',
      '--test-samples',
      '100',
      '--batch',
      '40',
    ],
    ...['--epochs', '2', '--out', join(folder, out), ...more],
  ];
  const hashIn = (text: string) => /weights +sha256 ([0-9a-f]{64})/.exec(text)?.[1];

  test('trainers at workers vote as those of one process do, to the bit, with a bit a weight on the wire', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('votes'));
    for (let i = 0; i < 3; i++) await worker(url).printed(/^ready/m);
    const hashes: (string | undefined)[] = [];
    for (const voters of [1, 2, 4]) {
      const here = await runCli(cli, voting(`here ${voters}`, '--votes', String(voters)));
      expect(here.stderr).not.toMatch(/Error/);
      hashes.push(hashIn(here.stdout));
      const there = await runCli(
        cli,
        voting(`there ${voters}`, '--votes', String(voters), '--nats', url, '--votes-deadline', '300'),
      );
      expect(there.stderr).not.toMatch(/Error/);
      expect(there.code).toBe(0);
      expect(hashIn(there.stdout)).toBe(hashes.at(-1));
      expect(there.stdout).not.toMatch(/left out|other weights/);
      console.log(there.stdout.match(/^(test accuracy|votes) .*/gm)?.join('\n'));
      if (voters === 1) continue;
      // What went over the wire: ballots come in, one decision goes out, and little beside them.
      const [, steps, ballot] =
        /(\d+) steps by \d trainers; a ballot has ([\d.]+) kB/.exec(there.stdout) ?? [];
      const [, sent, received] =
        /step: ([\d.]+) kB sent from here, ([\d.]+) kB received/.exec(there.stdout) ?? [];
      expect(Number(steps)).toBe(20);
      expect(Number(sent) / Number(ballot)).toBeGreaterThanOrEqual(0.99);
      expect(Number(sent) / Number(ballot)).toBeLessThan(1.5);
      // First ballots may come before the last voter is there, from when on is counted.
      expect(Number(received) / Number(ballot)).toBeGreaterThanOrEqual(0.9 * (voters - 1));
      expect(Number(received) / Number(ballot)).toBeLessThan(1.5 * (voters - 1));
    }
    expect(new Set(hashes).size).toBe(3);
    const stopped = await runCli(cli, ['train', '--nats', url, '--out', join(folder, 'no votes')]);
    expect(stopped.stderr).toMatch(/OptionError: Workers take part in a training by voting/);
  });

  test('a voter that says nothing is left out, and votes again when it is back', async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    await serve(port, stored('store of late ones'));
    const paused = worker(url);
    await paused.printed(/^ready/m);
    const args = voting('late', '--votes', '2', '--nats', url, '--votes-deadline', '3', '--epochs', '60');
    const training = keep(start(process.execPath, [cli, ...args]));
    await training.printed(/^epoch 1\//m);
    paused.child.kill('SIGSTOP');
    await training.printed(/^voter +1 is left out from step/m);
    paused.child.kill('SIGCONT');
    await training.printed(/^voter +1 votes again from step/m);
    const { code, stdout, stderr } = await training.ended;
    expect(stderr).not.toMatch(/Error/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^votes +voter 1 was left out of \d+ steps/m);
    // What it was told meanwhile it did, too.
    expect(stdout).not.toMatch(/other weights/);
  });

  test('a tab of Chrome takes two trainings, says what it does, and stops when it is told to', async () => {
    const [port, socket] = [await freePort(), await freePort()];
    await serve(port, `${stored('tab')}\nwebsocket { listen: "127.0.0.1:${socket}", no_tls: true }`);
    const site = join(folder, 'the studio');
    await build({
      configFile: join(import.meta.dirname, '..', 'demo', 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: site, emptyOutDir: true },
    });
    await using server = await serveFolder(site, { below: '/a/sub-path/' });
    await using chrome = await launchChrome();
    const { page, errors } = await chrome.open(`${server.url}/index.html#/help`);
    await page.waitForSelector('#helping-url');
    const work = async (address: string) => {
      await page.$eval('#helping-url', (input) => {
        (input as HTMLInputElement).value = '';
      });
      await page.type('#helping-url', address);
      await page.click('#helping-begin');
    };
    const shown = (text: RegExp) =>
      page.waitForFunction(
        (source) => new RegExp(source).test(document.querySelector('#helping')?.textContent ?? ''),
        {},
        text.source,
      );

    // What a browser says of addresses without a server is an error on its console.
    await work(`nats://127.0.0.1:${port}`);
    await shown(/no such address of a NATS server[\s\S]*ws:/);
    await work(`ws://127.0.0.1:${await freePort()}`);
    await shown(/No NATS server answers[\s\S]*websocket \{ port: 8080, no_tls: true \}/);
    errors.length = 0;

    await work(`ws://127.0.0.1:${socket}`);
    await shown(/waits for jobs/);
    const args = one('tab', '--seeds', '1,2', '--nats', `nats://127.0.0.1:${port}`);
    const { code, stderr } = await runCli(cli, [...args, '--json', join(folder, 'tab.json')]);
    expect(stderr).not.toMatch(/Error/);
    expect(code).toBe(0);
    await shown(/seed 1: done[\s\S]*seed 2: done/);
    const { results } = JSON.parse(readFileSync(join(folder, 'tab.json'), 'utf8'));
    expect(results.map(({ state }: { state: string }) => state)).toEqual(['done', 'done']);

    await page.click('#helping-stop');
    await shown(/2 jobs done/);
    expect(await page.$eval('#helping', (panel) => panel.getAttribute('data-state'))).toBe('idle');
    expect(errors).toEqual([]);
    // The same trainings, by Node and SwiftShader here: the same bits.
    const here = await runCli(cli, [...one('here', '--seeds', '1,2'), '--json', join(folder, 'here.json')]);
    expect(here.code).toBe(0);
    const hashes = (file: string) =>
      JSON.parse(readFileSync(join(folder, file), 'utf8')).results.map(
        ({ weightsSha256 }: { weightsSha256: string }) => weightsSha256,
      );
    expect(hashes('tab.json')).toEqual(hashes('here.json'));
  });
});
