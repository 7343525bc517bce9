/** The way to a NATS server, by the clients that a program has. */
import type { NatsConnection } from '@nats-io/nats-core';
import { OptionError, QueueError } from '../errors.ts';

/** How a server is found and told who asks. */
export interface ServerAccess {
  /** `nats://host:4222` or `tls://host`, and of pages `ws://host:8080` or `wss://host`; several between commas. */
  readonly url: string;
  /** Who asks. Default: who stands in the address. */
  readonly user?: string | undefined;
  /** Its password. */
  readonly password?: string | undefined;
  /** Credentials that NATS gave out: a JWT and its key. */
  readonly creds?: Uint8Array | undefined;
  /** Certificates of whoever signed the server's, as PEM; browsers have their own. */
  readonly ca?: string | undefined;
}

/** Options of a connection, as all clients of NATS have them. */
type Connecting = Parameters<typeof import('@nats-io/nats-core').wsconnect>[0] & {
  readonly tls?: { readonly ca: string };
};

/** The packages of NATS, loaded. */
export interface Clients {
  /** `connect` of `@nats-io/transport-node`, or `wsconnect` of `@nats-io/nats-core`. */
  readonly connect: (options: Connecting) => Promise<NatsConnection>;
  /** Of the addresses that it takes. */
  readonly schemes: readonly string[];
  /** `@nats-io/nats-core`, or what exports the same. */
  readonly core: Pick<typeof import('@nats-io/nats-core'), 'nanos' | 'credsAuthenticator'>;
  /** `@nats-io/jetstream`. */
  readonly jetstream: typeof import('@nats-io/jetstream');
  /** `@nats-io/kv`. */
  readonly kv: typeof import('@nats-io/kv');
  /** `@nats-io/obj`. */
  readonly obj: typeof import('@nats-io/obj');
}

/** Servers of a text; a password never gets into a message. */
function addresses(
  text: string,
  schemes: readonly string[],
): { servers: string[]; user?: string; password?: string; shown: string } {
  const urls = text.split(',').map((one) => {
    const whole = one.includes('://') ? one.trim() : `${schemes[0]}//${one.trim()}`;
    const url = URL.canParse(whole) ? new URL(whole) : undefined;
    if (url !== undefined && schemes.includes(url.protocol) && url.hostname !== '') return url;
    throw new OptionError('There is no such address of a NATS server.', {
      given: one.replace(/\/\/.*@/, '//...@'),
      expected: schemes.map((scheme) => `${scheme}//host:port`).join(' or '),
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
 * @throws OptionError for what is no address, QueueError where no server answers, or it refuses who asks
 */
export async function connectTo(
  { connect, core, schemes }: Clients,
  options: ServerAccess,
): Promise<NatsConnection> {
  const { servers, shown, ...inUrl } = addresses(options.url, schemes);
  const { user = inUrl.user, password: pass = inUrl.password, creds, ca } = options;
  try {
    return await connect({
      servers,
      name: 'webgpu-bnn',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      ...(user === undefined ? {} : { user, pass: pass ?? '' }),
      ...(creds === undefined ? {} : { authenticator: core.credsAuthenticator(creds) }),
      ...(ca === undefined ? {} : { tls: { ca } }),
    });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const isPage = schemes.includes('ws:');
    const { what, remedy } = FAULTS.find(({ said }) => said.test(message)) ?? NO_SERVER;
    throw new QueueError(what, {
      given: `${shown}: ${message}`,
      where: isPage ? 'connectQueue' : '--nats',
      remedy: remedy[isPage ? 'ofPage' : 'ofCommand'],
      cause,
    });
  }
}

const NO_SERVER = {
  what: 'No NATS server answers.',
  remedy: {
    ofCommand: 'start one with nats-server -js, or check the address',
    ofPage:
      'let nats-server -js have a block in its configuration, websocket { port: 8080, no_tls: true }, and give that port; a page of https needs wss://',
  },
};
/** What connecting fails by, by what is said then. */
const FAULTS = [
  {
    said: /authori[sz]ation|authentication|credential|nkey/i,
    what: 'The NATS server refuses these credentials.',
    remedy: {
      ofCommand: 'check --nats-creds, or --nats-user and --nats-password',
      ofPage: 'check user and password',
    },
  },
  {
    said: /certificate|self.signed|\bPEM\b|\bSSL\b|\btls\b/i,
    what: 'The certificate of the NATS server is not trusted.',
    remedy: {
      ofCommand:
        'name the certificates of whoever signed it: --nats-ca FILE; and the server by a name that its certificate has',
      ofPage:
        'give the server a certificate that browsers trust, and name it by a name that its certificate has',
    },
  },
];
