/** The way to a NATS server, and what of its clients is needed: optional packages, which `webgpu-bnn setup nats` gets. */
import type { NatsConnection } from '@nats-io/transport-node';
import { OptionError, QueueError } from '../errors.ts';
import { type HeadlessPackage, importHeadless } from '../node/headless.ts';
import { readFileChecked } from '../node/index.ts';
import { npx } from '../npx.ts';

/** How a server is found and told who asks. */
export interface ServerOptions {
  /** `nats://host:4222`, or `tls://host`; several between commas. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** File of credentials that NATS gave out: a JWT and its key. */
  readonly creds?: string | undefined;
  /** Certificates of whoever signed the server's. */
  readonly ca?: string | undefined;
}

/** The packages, loaded. */
export interface Clients {
  readonly transport: typeof import('@nats-io/transport-node');
  readonly jetstream: typeof import('@nats-io/jetstream');
  readonly kv: typeof import('@nats-io/kv');
  readonly obj: typeof import('@nats-io/obj');
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
export async function loadClients(): Promise<Clients> {
  return {
    transport: await client('@nats-io/transport-node'),
    jetstream: await client('@nats-io/jetstream'),
    kv: await client('@nats-io/kv'),
    obj: await client('@nats-io/obj'),
  };
}

/** Servers of a text; a password never gets into a message. */
function addresses(text: string): { servers: string[]; user?: string; password?: string; shown: string } {
  const urls = text.split(',').map((one) => {
    const whole = one.includes('://') ? one.trim() : `nats://${one.trim()}`;
    const url = URL.canParse(whole) ? new URL(whole) : undefined;
    if (url !== undefined && ['nats:', 'tls:'].includes(url.protocol) && url.hostname !== '') return url;
    throw new OptionError('There is no such address of a NATS server.', {
      given: one.replace(/\/\/.*@/, '//...@'),
      expected: 'nats://host, nats://host:4222 or tls://host',
      where: '--nats',
    });
  });
  const servers = urls.map(({ protocol, host }) => `${protocol}//${host}`);
  const [first] = urls;
  return {
    servers,
    shown: servers.join(','),
    ...(first?.username ? { user: decodeURIComponent(first.username) } : {}),
    ...(first?.password ? { password: decodeURIComponent(first.password) } : {}),
  };
}

/**
 * Connects; a connection that breaks later is made again for as long as the process lives.
 * @throws QueueError where no server answers, or it refuses who asks
 */
export async function connectTo({ transport }: Clients, options: ServerOptions): Promise<NatsConnection> {
  const { servers, shown, ...inUrl } = addresses(options.url);
  const user = options.user ?? inUrl.user;
  const pass = options.password ?? inUrl.password;
  const creds = await fileOf(options.creds, '--nats-creds', 'the file of credentials that NATS gave out');
  const ca = await fileOf(options.ca, '--nats-ca', 'a file of PEM certificates');
  try {
    return await transport.connect({
      servers,
      name: 'webgpu-bnn',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      ...(user === undefined ? {} : { user, pass: pass ?? '' }),
      ...(creds === undefined ? {} : { authenticator: transport.credsAuthenticator(creds) }),
      ...(ca === undefined ? {} : { tls: { ca: new TextDecoder().decode(ca) } }),
    });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const { what, remedy } = FAULTS.find(({ said }) => said.test(message)) ?? NO_SERVER;
    throw new QueueError(what, { given: `${shown}: ${message}`, where: '--nats', remedy, cause });
  }
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

const NO_SERVER = {
  what: 'No NATS server answers.',
  remedy: 'start one with nats-server -js, or check the address',
};
/** What connecting fails by, by what is said then. */
const FAULTS = [
  {
    said: /authori[sz]ation|authentication|credential|nkey/i,
    what: 'The NATS server refuses these credentials.',
    remedy: 'check --nats-creds, or --nats-user and --nats-password',
  },
  {
    said: /certificate|self.signed|\bPEM\b|\bSSL\b|\btls\b/i,
    what: 'The certificate of the NATS server is not trusted.',
    remedy:
      'name the certificates of whoever signed it: --nats-ca FILE; and the server by a name that its certificate has',
  },
];
