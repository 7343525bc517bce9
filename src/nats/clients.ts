/** The way to a NATS server of a command: its clients are optional packages, which `webgpu-bnn setup nats` gets. */
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

/** @throws OptionError that names the option of a file which can't be read */
async function fileOf(
  path: string | undefined,
  option: string,
  expected: string,
): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined;
  return await readFileChecked(path).catch((cause: unknown) => {
    throw new OptionError('A file that says who may talk to the NATS server can not be read.', {
      ...{ given: path, expected, where: option, cause },
      remedy: `name the file that the administrator of the server gives out: ${option} FILE`,
    });
  });
}

/** `Queue.open` with the clients that are installed. */
export async function openQueue(options: ServerOptions, lease?: number): Promise<Queue> {
  const clients = await loadClients();
  const creds = await fileOf(options.creds, '--nats-creds', 'the file of credentials that NATS gave out');
  const ca = await fileOf(options.ca, '--nats-ca', 'a file of PEM certificates');
  return await Queue.open(clients, { ...options, creds, ca: ca && new TextDecoder().decode(ca) }, lease);
}
