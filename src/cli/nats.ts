/** Options of a NATS server, by the names that NATS' own tools give them in the environment. */
import { type Command, Option } from 'commander';
import type { ServerOptions } from '../nats/index.ts';

export interface NatsFlags {
  readonly nats?: string;
  readonly natsUser?: string;
  readonly natsPassword?: string;
  readonly natsCreds?: string;
  readonly natsCa?: string;
}

export function withNats(command: Command, about: string): Command {
  return command
    .option('--nats <url>', `${about}, e.g. nats://host:4222 or tls://host`)
    .addOption(new Option('--nats-user <name>', 'who asks').env('NATS_USER'))
    .addOption(new Option('--nats-password <word>', 'its password').env('NATS_PASSWORD'))
    .addOption(new Option('--nats-creds <file>', 'credentials that NATS gave out').env('NATS_CREDS'))
    .addOption(new Option('--nats-ca <file>', 'certificates that the server is checked by').env('NATS_CA'));
}

export function serverOf(flags: NatsFlags): ServerOptions | undefined {
  const { nats: url, natsUser: user, natsPassword: password, natsCreds: creds, natsCa: ca } = flags;
  return url === undefined ? undefined : { url, user, password, creds, ca };
}

/** The address without what is secret. */
export function shownServer({ url }: ServerOptions): string {
  return url.replaceAll(/\/\/[^/,]*@/g, '//');
}
