/**
 * Votes over NATS: a command's trainer and others at workers decide on the signs of each step's gradients. Ballots go to the
 * command, which counts them, and one decision goes to all; both are a bit a weight. They are plain messages: one that is lost is
 * sent again, and what was decided is kept for a while for those who were cut off.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import * as v from 'valibot';
import { QueueError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { Poll, type PollOptions } from '../regimes/index.ts';
import { type RunOptions, runSchema } from '../reports/story.ts';
import type { Vote } from '../train/index.ts';
import { digestOfJob, type QueuedJob, queued } from './job.ts';

const SUBJECT = 'webgpu-bnn.votes';
/** Milliseconds after which a ballot is sent again. */
const AGAIN = 2000;
/** Milliseconds from one sign of life of the command to the next, and those after which it is taken for dead. */
const BEAT = 2000;
const SILENCE = 60_000;
/** Milliseconds in which a voter is answered. */
const ANSWER = 5000;
/** Step, part and number of parts, as u32. */
const HEADER = 12;
/** What a message has beside its payload, at most. */
const MARGIN = 1024;
const MOST_PARTS = 4096;

/** A trainer that is looked for. */
export interface Seat {
  /** Of the training. */
  readonly id: string;
  /** From 1: the command's own is 0. */
  readonly rank: number;
  readonly run: RunOptions;
  /** Digest of its samples, which whoever takes it compares with its own. */
  readonly digest: string;
}

const text = v.pipe(v.string(), v.maxLength(4096));
/** Checks a seat that comes from the queue. */
export const seatSchema = v.object({
  id: v.pipe(text, v.regex(/^[A-Za-z0-9-]+$/)),
  rank: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(1023)),
  run: runSchema,
  digest: text,
}) as unknown as v.GenericSchema<unknown, Seat>;

/** A seat for the queue, and what tells it from all others. */
export async function queuedSeat(
  seat: Seat,
): Promise<{ readonly digest: string; readonly job: QueuedJob<Seat> }> {
  const job = queued('vote', seat);
  return { digest: await digestOfJob(job), job };
}

/** Bytes on the wire, protocol included. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

function trafficSince(connection: NatsConnection): () => Traffic {
  const before = connection.stats();
  return () => {
    const { outBytes, inBytes } = connection.stats();
    return { sent: outBytes - before.outBytes, received: inBytes - before.inBytes };
  };
}

/** Where the votes of workers come in. */
export class PollingPlace {
  readonly poll: Poll;
  readonly #connection: NatsConnection;
  readonly #at: string;
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #there = new Map<number, string>();
  #traffic: (() => Traffic) | undefined;
  #last = -1;
  #wake: () => void = () => {};

  /** @param onVoter called for every voter that comes, with its adapter */
  constructor(
    connection: NatsConnection,
    id: string,
    options: PollOptions,
    onVoter: (rank: number, adapter: string) => void,
  ) {
    this.#connection = connection;
    this.#at = `${SUBJECT}.${id}`;
    const poll = new Poll({
      ...options,
      onRound: (round) => {
        this.#last = round.step;
        send(connection, `${this.#at}.decision`, round.step, round.decision);
        options.onRound?.(round);
      },
    });
    this.poll = poll;
    connection.subscribe(`${this.#at}.hello`, {
      callback: (error, message) => {
        if (error) return;
        const { rank, adapter } = message.json<{ rank?: unknown; adapter?: unknown }>();
        const isKnown = Number.isSafeInteger(rank) && Number(rank) > 0 && Number(rank) < options.voters;
        // Who comes when the training is under way has other weights than the others.
        const isWelcome = isKnown && this.#last < 0 && this.#traffic === undefined;
        message.respond(isWelcome ? 'welcome' : 'late');
        if (!isWelcome || this.#there.has(Number(rank))) return;
        this.#there.set(Number(rank), String(adapter));
        onVoter(Number(rank), String(adapter));
        this.#wake();
      },
    });
    const whole = new Map<number, Assembly>();
    connection.subscribe(`${this.#at}.ballot.*`, {
      callback: (error, message) => {
        if (error) return;
        const rank = Number(message.subject.slice(this.#at.length + '.ballot.'.length));
        if (!this.#there.has(rank)) return;
        const assembly = whole.get(rank) ?? new Assembly();
        whole.set(rank, assembly);
        const cast = assembly.add(message.data);
        if (cast !== undefined) this.#cast(rank, cast.step, cast.words);
      },
    });
    (async () => {
      for await (const { type } of connection.status()) {
        if (type === 'disconnect') poll.pause();
        if (type === 'reconnect') poll.resume();
      }
    })().catch(() => {});
    this.#beat = setInterval(() => this.#say('alive'), BEAT);
  }

  /** Until all others are there, or it is stopped. */
  async all(voters: number, signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake();
    signal.addEventListener('abort', onAbort);
    while (this.#there.size < voters - 1 && !signal.aborted) {
      await new Promise<void>((done) => {
        this.#wake = done;
      });
    }
    signal.removeEventListener('abort', onAbort);
    this.#traffic = trafficSince(this.#connection);
  }

  /** Since all were there. */
  get traffic(): Traffic {
    return this.#traffic?.() ?? { sent: 0, received: 0 };
  }

  /** Ends the poll, and tells the voters. */
  async close(reason: Error): Promise<void> {
    clearInterval(this.#beat);
    this.poll.close(reason);
    this.#say('over');
    await this.#connection.flush().catch(() => undefined);
  }

  #cast(rank: number, step: number, words: Uint32Array<ArrayBuffer>): void {
    const isLate = step <= this.#last;
    this.poll.cast(rank, step, words);
    if (!isLate) return;
    const known = this.poll.decided(step);
    if (known !== undefined) send(this.#connection, `${this.#at}.decision.${rank}`, step, known);
    else this.#say('behind', rank);
  }

  #say(state: 'alive' | 'over' | 'behind', rank?: number): void {
    if (!this.#connection.isClosed())
      this.#connection.publish(`${this.#at}.state`, JSON.stringify({ state, rank }));
  }
}

/** Why a voter's training ended before its last step. */
export class VoterStopped extends QueueError {}

/** A voter at a worker. */
export class RemoteVoter {
  readonly #connection: NatsConnection;
  readonly #at: string;
  readonly #rank: number;
  readonly #decisions = new Map<number, Uint32Array<ArrayBuffer>>();
  readonly #subscriptions: { unsubscribe(): void }[] = [];
  readonly #traffic: () => Traffic;
  #heard = Date.now();
  #stopped: VoterStopped | undefined;
  #wake: () => void = () => {};

  /** @param onAlive called when the command says that it goes on */
  constructor(connection: NatsConnection, { id, rank }: Pick<Seat, 'id' | 'rank'>, onAlive: () => void) {
    this.#connection = connection;
    this.#at = `${SUBJECT}.${id}`;
    this.#rank = rank;
    this.#traffic = trafficSince(connection);
    const assembly = new Assembly();
    for (const subject of [`${this.#at}.decision`, `${this.#at}.decision.${rank}`]) {
      this.#subscribe(subject, (data) => {
        const decided = assembly.add(data);
        if (decided !== undefined) this.#decisions.set(decided.step, decided.words);
      });
    }
    this.#subscribe(`${this.#at}.state`, (data) => {
      const said = parseJson(new TextDecoder().decode(data)) as { state?: unknown; rank?: unknown };
      if (said.state === 'over') this.#stop('The training that it votes in is over.');
      if (said.state === 'behind' && said.rank === rank)
        this.#stop('It was cut off for longer than decisions are kept.');
      if (said.state === 'alive') onAlive();
    });
  }

  /** Says that it is there, and waits to be let in. @returns whether it is */
  async enter(adapter: string): Promise<boolean> {
    const hello = JSON.stringify({ rank: this.#rank, adapter });
    const answer = await this.#connection
      .request(`${this.#at}.hello`, hello, { timeout: ANSWER })
      .catch(() => undefined);
    return answer?.string() === 'welcome';
  }

  /** What its trainer votes by. @throws VoterStopped where the command is over, or was silent for a minute */
  readonly vote: Vote = async (ballot, step) => {
    for (const known of this.#decisions.keys()) if (known < step) this.#decisions.delete(known);
    this.#heard = Date.now();
    for (;;) {
      const decided = this.#decisions.get(step);
      if (decided !== undefined) return decided;
      if (this.#stopped !== undefined) throw this.#stopped;
      send(this.#connection, `${this.#at}.ballot.${this.#rank}`, step, ballot);
      await this.#until(() => this.#decisions.has(step) || this.#stopped !== undefined, AGAIN);
      if (Date.now() - this.#heard > SILENCE) this.#stop('The training that it votes in says nothing.');
    }
  };

  get traffic(): Traffic {
    return this.#traffic();
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  #subscribe(subject: string, take: (data: Uint8Array) => void): void {
    const callback = (error: Error | null, message: { readonly data: Uint8Array }) => {
      if (error) return;
      this.#heard = Date.now();
      take(message.data);
      this.#wake();
    };
    this.#subscriptions.push(this.#connection.subscribe(subject, { callback }));
  }

  async #until(isTrue: () => boolean, milliseconds: number): Promise<void> {
    const until = Date.now() + milliseconds;
    while (!isTrue() && Date.now() < until) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, until - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  }

  #stop(what: string): void {
    this.#stopped ??= new VoterStopped(what, { where: `voter ${this.#rank}` });
    this.#wake();
  }
}

/** Sends packed signs, in as many messages as the server wants. */
function send(connection: NatsConnection, subject: string, step: number, words: Uint32Array): void {
  if (connection.isClosed()) return;
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const most = 4 * Math.floor(((connection.info?.max_payload ?? 2 ** 20) - HEADER - MARGIN) / 4);
  const parts = Math.max(1, Math.ceil(bytes.length / most));
  for (let part = 0; part < parts; part++) {
    const piece = bytes.subarray(part * most, (part + 1) * most);
    const message = new Uint8Array(HEADER + piece.length);
    message.set(new Uint8Array(Uint32Array.of(step, part, parts).buffer));
    message.set(piece, HEADER);
    connection.publish(subject, message);
  }
}

/** Puts the parts of packed signs together. */
class Assembly {
  #step = -1;
  #parts: (Uint8Array | undefined)[] = [];

  /** @returns all of a step, once its last part came */
  add(message: Uint8Array): { step: number; words: Uint32Array<ArrayBuffer> } | undefined {
    if (message.length < HEADER || message.length % 4 !== 0) return undefined;
    const header = new DataView(message.buffer, message.byteOffset, HEADER);
    const [step, part, parts] = [0, 4, 8].map((at) => header.getUint32(at, true)) as [number, number, number];
    if (part >= parts || parts > MOST_PARTS) return undefined;
    if (step !== this.#step || parts !== this.#parts.length) {
      this.#step = step;
      this.#parts = new Array(parts).fill(undefined);
    }
    this.#parts[part] = message.subarray(HEADER);
    if (this.#parts.includes(undefined)) return undefined;
    const whole = new Uint8Array(this.#parts.reduce((sum, own) => sum + (own?.length ?? 0), 0));
    let at = 0;
    for (const own of this.#parts) {
      whole.set(own ?? new Uint8Array(), at);
      at += own?.length ?? 0;
    }
    this.#step = -1;
    return { step, words: new Uint32Array(whole.buffer) };
  }
}
