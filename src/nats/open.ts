/**
 * The entry `webgpu-bnn/nats`: what `worker --nats` and `compare --nats` do, for programs and pages of one's own. The clients of NATS
 * are the program's: `@nats-io/jetstream`, `@nats-io/kv`, `@nats-io/obj` and `@nats-io/nats-core`.
 */
import * as jetstream from '@nats-io/jetstream';
import * as kv from '@nats-io/kv';
import * as core from '@nats-io/nats-core';
import * as obj from '@nats-io/obj';
import type { Clients, ServerAccess } from './connect.ts';
import { Queue } from './queue.ts';

export type { Clients, ServerAccess } from './connect.ts';
export { type NamedData, namedData, type Packages, trainByWorkers, trainings } from './trainings.ts';
export { type Hands, type Kind, type WorkOptions, work } from './work.ts';
export type { Queue };

/** Where the queue is, and what connects. */
export interface QueueOptions extends ServerAccess {
  /**
   * `connect` of `@nats-io/transport-node`, for `nats://` and `tls://`. Default: `wsconnect` of `@nats-io/nats-core`, for `ws://` and
   * `wss://`, which pages have.
   */
  readonly connect?: Clients['connect'];
  /** Seconds that a job stays with a worker which says nothing. Default: what the queue has, or 30. */
  readonly lease?: number;
}

/**
 * Connects to the queue of a server, and makes it where there is none.
 * @throws OptionError for what is no address, QueueError where there is no server or no JetStream, or it refuses
 * @example
 * import { connectQueue, trainings, work } from 'webgpu-bnn/nats';
 *
 * const queue = await connectQueue({ url: 'ws://localhost:8080' });
 * await work(queue, { gpu, adapter: gpu.adapter, kinds: { training: trainings(async () => mnist) } });
 */
export async function connectQueue({ connect, lease, ...access }: QueueOptions): Promise<Queue> {
  const schemes = connect === undefined ? ['ws:', 'wss:'] : ['nats:', 'tls:'];
  const clients: Clients = { connect: connect ?? core.wsconnect, schemes, core, jetstream, kv, obj };
  return await Queue.open(clients, access, lease);
}
