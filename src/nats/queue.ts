/**
 * The queue in JetStream. Jobs are messages of a work queue, one for each digest at most; results are values that are written
 * once, by that digest; checkpoints are objects. So nothing is lost, and nothing counts twice, whoever is killed when.
 */
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { ObjectStore } from '@nats-io/obj';
import { QueueError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { type Clients, connectTo, type ServerAccess } from './connect.ts';
import type { QueuedJob } from './job.ts';

const STREAM = 'webgpu-bnn-jobs';
const WORKERS = 'workers';
const SUBJECT = 'webgpu-bnn.jobs';
const PROGRESS = 'webgpu-bnn.progress';
const PRESENCE = 'webgpu-bnn.workers';
/** Milliseconds in which a worker answers that is there. */
const ANSWERS = 2000;
/** Of a job; results have what the server takes in one message. */
const MOST_BYTES = 64 * 1024;
const MOST_CHECKPOINT = 2 ** 31;
/** A server that is away longer than this is given up. */
const PATIENCE = 120_000;
/** One answer that takes longer is lost: with the server that would have given it, or with what it was to read. */
const LOST = 20_000;
/** A checkpoint may be long, and its network slow; each of its parts has limits of the client's own. */
const UPLOAD = 3_600_000;
/** Between two parts of a checkpoint that is read. */
const STALLED = 5000;
/** Reads of a checkpoint that end before its end, after which it counts as none. */
const READS = 2;
const DAYS = 30 * 86_400;
const DEFAULT_LEASE = 30;

/** "maximum messages per subject exceeded": the job is in the queue already. */
const IN_QUEUE = 10077;
/** "wrong last sequence": the value is there already. */
const IS_THERE = 10071;
/** "JetStream system temporarily unavailable". */
const STARTING = 10008;

/** Nobody listens: no worker, or a server that is only starting. */
const NOBODY = 'NoResponders';

/** What was tried of a job since it last got further. */
export interface Tries {
  readonly tries: number;
  readonly error?: { readonly name: string; readonly message: string };
}

/** How far a job is. */
export interface Share {
  readonly digest: string;
  readonly share: number;
}

/** Jobs, results and checkpoints on a NATS server with JetStream. */
export class Queue {
  readonly #connection: NatsConnection;
  readonly #clients: Clients;
  readonly #results: KV;
  readonly #tries: KV;
  readonly #checkpoints: ObjectStore;
  readonly #consumer: Consumer;
  /** Seconds that a job stays with a worker which says nothing. */
  readonly lease: number;

  private constructor(parts: {
    connection: NatsConnection;
    clients: Clients;
    results: KV;
    tries: KV;
    checkpoints: ObjectStore;
    consumer: Consumer;
    lease: number;
  }) {
    this.#connection = parts.connection;
    this.#clients = parts.clients;
    this.#results = parts.results;
    this.#tries = parts.tries;
    this.#checkpoints = parts.checkpoints;
    this.#consumer = parts.consumer;
    this.lease = parts.lease;
  }

  /**
   * Opens the queue of a server, and makes it where there is none.
   * @param clients what connects: see `connectQueue` for programs and pages of one's own
   * @param lease seconds; absent, what the queue has, or 30
   * @throws QueueError where there is no server or no JetStream, or it refuses
   */
  static async open(clients: Clients, options: ServerAccess, lease?: number): Promise<Queue> {
    const connection = await connectTo(clients, options);
    try {
      return await Queue.#over(clients, connection, lease);
    } catch (cause) {
      await connection.close();
      throw typed(cause);
    }
  }

  static async #over(clients: Clients, connection: NatsConnection, lease?: number): Promise<Queue> {
    const { AckPolicy, DiscardPolicy, RetentionPolicy, jetstream, jetstreamManager } = clients.jetstream;
    const manager = await jetstreamManager(connection).catch((cause: unknown) => {
      throw new QueueError('The NATS server has no JetStream.', {
        given: messageOf(cause),
        where: '--nats',
        remedy: 'start it with nats-server -js, or enable JetStream for this account',
        cause,
      });
    });
    await manager.streams.add({
      name: STREAM,
      subjects: [`${SUBJECT}.*`],
      retention: RetentionPolicy.Workqueue,
      // A job that is in the queue isn't taken into it again.
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
      max_msg_size: MOST_BYTES,
    });
    const found = await manager.consumers.info(STREAM, WORKERS).catch(() => undefined);
    const nanos = clients.core.nanos;
    const wait = lease === undefined ? undefined : nanos(1000 * lease);
    if (found === undefined) {
      // Deliveries aren't limited by the server: tries are counted where a checkpoint can take them back (`tries`).
      await manager.consumers.add(STREAM, {
        durable_name: WORKERS,
        ack_policy: AckPolicy.Explicit,
        ack_wait: wait ?? nanos(1000 * DEFAULT_LEASE),
        max_deliver: -1,
        max_ack_pending: 100_000,
      });
    } else if (wait !== undefined && found.config.ack_wait !== wait) {
      await manager.consumers.update(STREAM, WORKERS, { ack_wait: wait });
    }
    const info = await manager.consumers.info(STREAM, WORKERS);
    const client = jetstream(connection);
    const buckets = new clients.kv.Kvm(client);
    return new Queue({
      ...{ connection, clients },
      results: await buckets.create('webgpu-bnn-results', { history: 1, ttl: 1000 * DAYS }),
      tries: await buckets.create('webgpu-bnn-tries', { history: 1, ttl: 1000 * DAYS }),
      checkpoints: await new clients.obj.Objm(client).create('webgpu-bnn-checkpoints', {
        ttl: nanos(1000 * DAYS),
      }),
      consumer: await client.consumers.get(STREAM, WORKERS),
      lease: (info.config.ack_wait ?? 0) / 1e9,
    });
  }

  /** For plain messages beside the queue. */
  get connection(): NatsConnection {
    return this.#connection;
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Puts a job into the queue, unless it is there. @throws QueueError for one that is too large */
  async put(digest: string, job: QueuedJob): Promise<void> {
    const text = JSON.stringify(job);
    if (bytesOf(text) > MOST_BYTES) {
      throw new QueueError('A job is too large.', {
        given: `${bytesOf(text)} bytes`,
        expected: `${MOST_BYTES} at most`,
        where: digest,
      });
    }
    await persist(async () => {
      const client = this.#clients.jetstream.jetstream(this.#connection);
      await client.publish(`${SUBJECT}.${digest}`, text).catch(unless(IN_QUEUE));
    });
  }

  /** The next job and its digest; undefined where none came within two seconds. */
  async take(): Promise<{ readonly message: JsMsg; readonly digest: string } | undefined> {
    const message = await persist(() => this.#consumer.next({ expires: 2000 }));
    if (message === null) return undefined;
    return { message, digest: message.subject.slice(SUBJECT.length + 1) };
  }

  /** Takes a job out of the queue, for good. */
  async done(message: JsMsg): Promise<void> {
    // Lost, it comes again to someone who finds the result.
    await message.ackAck().catch(() => false);
  }

  /** What was stored for a job, as text. */
  async result(digest: string): Promise<string | undefined> {
    const entry = await persist(() => this.#results.get(digest));
    return entry === null || entry.operation !== 'PUT' ? undefined : entry.string();
  }

  /** Stores a result unless there is one. */
  async keepResult(digest: string, text: string): Promise<void> {
    const most = this.#connection.info?.max_payload ?? 0;
    if (bytesOf(text) > most) {
      throw new QueueError('A result is larger than a message of the server may be.', {
        given: `${bytesOf(text)} bytes`,
        expected: `${most} at most`,
        where: digest,
        remedy: 'train fewer epochs, or raise max_payload of the server',
      });
    }
    await persist(() => this.#results.create(digest, text).catch(unless(IS_THERE)));
  }

  /** Forgets a result, so that the job may be done again. */
  async dropResult(digest: string): Promise<void> {
    await persist(() => this.#results.purge(digest));
  }

  /** What was tried of a job since it last got further. */
  async tries(digest: string): Promise<Tries> {
    const entry = await persist(() => this.#tries.get(digest));
    if (entry === null || entry.operation !== 'PUT') return { tries: 0 };
    return parseJson(entry.string()) as Tries;
  }

  /** Keeps what was tried; undefined forgets it. */
  async keepTries(digest: string, tries: Tries | undefined): Promise<void> {
    await persist<unknown>(() =>
      tries === undefined ? this.#tries.purge(digest) : this.#tries.put(digest, JSON.stringify(tries)),
    );
  }

  /** What a job goes on from. @throws QueueError for one of 2 GB or more */
  async checkpoint(digest: string): Promise<Uint8Array | undefined> {
    for (let reads = 0; reads < READS; reads++) {
      const stored = await persist(() => this.#checkpoints.get(digest));
      if (stored === null) return undefined;
      const { info, data } = stored;
      if (info.size > MOST_CHECKPOINT) {
        throw new QueueError('A checkpoint is too large.', {
          given: `${info.size} bytes`,
          expected: `${MOST_CHECKPOINT} at most`,
          where: digest,
        });
      }
      // Whoever still has the job may replace the checkpoint while it is read: then its parts are gone, and no more come.
      stored.error.catch(() => {});
      const bytes = await readAll(data, info.size).catch(() => undefined);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  /** Keeps what a job goes on from, in place of what was kept. */
  async keepCheckpoint(digest: string, bytes: Uint8Array): Promise<void> {
    await persist(() => this.#checkpoints.putBlob({ name: digest }, bytes), UPLOAD);
  }

  /** Forgets it. */
  async dropCheckpoint(digest: string): Promise<void> {
    await persist(async () => {
      const info = await this.#checkpoints.info(digest);
      if (info !== null && !info.deleted) await this.#checkpoints.delete(digest);
    });
  }

  /** Says how far a job is, to whoever listens. */
  say({ digest, share }: Share): void {
    this.#connection.publish(`${PROGRESS}.${digest}`, JSON.stringify({ share }));
  }

  /** Calls with how far jobs are, as workers say it. */
  listen(onShare: (share: Share) => void): void {
    this.#connection.subscribe(`${PROGRESS}.*`, {
      callback: (error, message) => {
        if (error !== null && error !== undefined) return;
        const said = message.json<{ share?: unknown }>();
        const digest = message.subject.slice(PROGRESS.length + 1);
        if (typeof said.share === 'number') onShare({ digest, share: said.share });
      },
    });
  }

  /** Answers whoever asks for workers, from now on. */
  async answer(): Promise<void> {
    this.#connection.subscribe(PRESENCE, {
      callback: (error, message) => {
        if (error === null || error === undefined) message.respond();
      },
    });
    await this.#connection.flush();
  }

  /** How many workers answer. */
  async workers(): Promise<number> {
    let count = 0;
    try {
      const asking = { strategy: 'timer', maxWait: ANSWERS } as const;
      for await (const _ of await this.#connection.requestMany(PRESENCE, '', asking)) count += 1;
    } catch (cause) {
      if (!(cause instanceof Error && cause.name === NOBODY)) throw typed(cause);
    }
    return count;
  }

  /** Calls for every result that is stored from now on. @returns what ends that */
  async watch(onResult: (digest: string, text: string) => void): Promise<() => void> {
    const entries = await persist(() =>
      this.#results.watch({ include: this.#clients.kv.KvWatchInclude.UpdatesOnly }),
    );
    (async () => {
      for await (const entry of entries) {
        if (entry.operation === 'PUT') onResult(entry.key, entry.string());
      }
      // A watch that ends by a fault is made up for by whoever asks for results now and then.
    })().catch(() => {});
    return () => entries.stop();
  }
}

/** All of a stream. @throws where it ends early, or a part takes too long */
async function readAll(stream: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const bytes = new Uint8Array(size);
  try {
    for (let length = 0; ; ) {
      const { done, value } = await within(STALLED, reader.read());
      if (done && length === size) return bytes;
      if (done) throw new Error(`${length} of ${size} bytes`);
      bytes.set(value, length);
      length += value.length;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** An answer, or a TimeoutError where none comes. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new DOMException(`${milliseconds} ms`, 'TimeoutError')), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Does what needs the server, again and again while it is away. */
async function persist<T>(action: () => Promise<T>, lost = LOST): Promise<T> {
  const since = performance.now();
  for (;;) {
    try {
      return await within(lost, action());
    } catch (cause) {
      if (!isAway(cause) || performance.now() - since > PATIENCE) throw typed(cause);
      await new Promise((done) => setTimeout(done, 500));
    }
  }
}

const AWAY = [
  ...['TimeoutError', NOBODY, 'ConnectionError', 'RequestError', 'JetStreamNotEnabled'],
  ...['JetStreamError', 'JetStreamStatusError'],
];

function isAway(cause: unknown): boolean {
  return codeOf(cause) === STARTING || (cause instanceof Error && AWAY.includes(cause.name));
}

function codeOf(cause: unknown): number | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'number' ? cause.code : undefined;
}

/** Passes over one error of the server's. */
function unless(code: number): (cause: unknown) => undefined {
  return (cause) => {
    if (codeOf(cause) !== code) throw cause;
    return undefined;
  };
}

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

function typed(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof QueueError) return cause;
  const isFull = /resource|storage|maximum bytes|limit/i.test(cause.message);
  return new QueueError(isFull ? 'The store of the NATS server is full.' : 'The NATS server refuses.', {
    given: `${cause.name}: ${cause.message}`,
    where: '--nats',
    remedy: isFull
      ? 'give JetStream more room (max_file_store), or remove the buckets of comparisons that are over; then start the worker again'
      : 'read what the server logs; the queue is as it was',
    cause,
  });
}
