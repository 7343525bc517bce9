/** The way to a NATS server of a command: its clients are optional packages, which `webgpu-bnn setup nats` gets. */
import { readFile } from 'node:fs/promises';
import { OptionError } from '../errors.ts';
import { type HeadlessPackage, importHeadless } from '../node/headless.ts';
import { readFileChecked } from '../node/index.ts';
import { npx } from '../npx.ts';
import type { Clients } from './connect.ts';
import { Queue } from './queue.ts';

/** How a server is found and told who asks. */
export interface ServerOptions {
  /** `nats://host:4222`, or `tls://host`; several between commas. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** File of credentials that NATS gave out: a JWT and its key. */
  readonly creds?: string | undefined;
  /** File of certificates of whoever signed the server's. */
  readonly ca?: string | undefined;
}

async function client<Module>(name: HeadlessPackage): Promise<Module> {
  const module = await importHeadless<Module>(name);
  if (module !== undefined) return module;
  throw new OptionError('A client of NATS is not installed.', {
    given: '--nats',
    expected: `the package ${name}`,
    where: 'nats',
    remedy: npx('setup nats'),
  });
}

/** @throws OptionError where the clients are not installed */
async function loadClients(): Promise<Clients> {
  const core = await client<typeof import('@nats-io/transport-node')>('@nats-io/transport-node');
  return {
    ...{ core, connect: core.connect, schemes: ['nats:', 'tls:'] },
    jetstream: await client('@nats-io/jetstream'),
    kv: await client('@nats-io/kv'),
    obj: await client('@nats-io/obj'),
  };
}

/** `Queue.open` with the clients that are installed. */
export async function openQueue({ creds, ca, ...options }: ServerOptions, lease?: number): Promise<Queue> {
  const clients = await loadClients();
  const files = {
    ...(creds === undefined ? {} : { creds: await readFileChecked(creds) }),
    ...(ca === undefined ? {} : { ca: await readFile(ca, 'utf8') }),
  };
  return await Queue.open(clients, { ...options, ...files }, lease);
}
