/** Options of a NATS server, by the names that NATS' own tools give them in the environment. */
import { type Command, Option } from 'commander';
import type { JobAdapter } from '../compare/index.ts';
import type { ServerOptions } from '../nats/index.ts';
import { npx } from '../npx.ts';
import { describeAdapter } from './options.ts';

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

/** `--data` of a command that has workers do what it is for. */
export const namingOption = () =>
  new Option(
    '--data <folder>',
    'with --nats: what files are named from, for workers with a --data of their own',
  ).default('.');

export function serverOf(flags: NatsFlags): ServerOptions | undefined {
  const { nats: url, natsUser: user, natsPassword: password, natsCreds: creds, natsCa: ca } = flags;
  return url === undefined ? undefined : { url, user, password, creds, ca };
}

/** The address without what is secret. */
export function shownServer({ url }: ServerOptions): string {
  return url.replaceAll(/\/\/[^/,]*@/g, '//');
}

/** Says where jobs lie, and what starts a worker. @param more options that workers need */
export function sayQueue(server: ServerOptions, say: (text: string) => void, more = ''): void {
  const address = shownServer(server);
  say(`queue     ${address}; start workers with: ${npx(`worker --nats ${address}${more}`)}`);
}

/** Where workers worked. */
export function adaptersOf(adapters: readonly JobAdapter[]): {
  readonly name: string;
  readonly software: boolean;
} {
  return {
    name: [...new Set(adapters.map((adapter) => describeAdapter({ adapter })))].join(', ') || 'none',
    software: adapters.some(({ software }) => software),
  };
}
