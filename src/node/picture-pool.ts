/**
 * Threads that decode pictures while this one trains. They start when the first picture is asked for, rest while none is, and
 * don't hold the process up.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { sized } from '../data/pictures.ts';
import { FormatError } from '../errors.ts';
import type { Picture } from '../pictures.ts';
import { readFileChecked } from './files.ts';
import { decodePicture } from './images.ts';
import type { Answer, Asked } from './picture-worker.ts';

/** Fewer pictures are decoded before a thread has started. */
const FEW = 64;
const MOST_THREADS = 8;

/** The thread's file beside this one in the build; sources are compiled for none. */
const FILE = join(dirname(fileURLToPath(import.meta.url)), 'picture-worker.js');

interface Waiting {
  readonly resolve: (picture: Picture) => void;
  readonly reject: (cause: unknown) => void;
}

/** A thread, and who waits for its answers. */
interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
}

export class Decoders {
  /** Pictures to ask for at the same time. */
  readonly atOnce: number;
  readonly #count: number;
  #threads: Thread[] = [];
  #asked = 0;

  /** @param pictures that will be asked for */
  constructor(pictures: number) {
    this.#count = pictures < FEW || !existsSync(FILE) ? 0 : Math.min(MOST_THREADS, availableParallelism());
    // One is decoded, and the next is read.
    this.atOnce = Math.max(1, 2 * this.#count);
  }

  /**
   * A picture of a file.
   * @param size [height, width] that it is brought to; its own when absent
   * @throws FormatError for what is no picture; StorageError where it can't be read
   */
  async read(path: string, size?: readonly [number, number]): Promise<Picture> {
    const bytes = await readFileChecked(path);
    if (this.#count === 0) return sized(await decodePicture(bytes, path), size);
    const id = this.#asked++;
    const thread = this.#thread(id % this.#count);
    return new Promise((resolve, reject) => {
      thread.worker.ref();
      thread.waiting.set(id, { resolve, reject });
      const asked: Asked = { id, bytes: new Uint8Array(bytes), where: path, size };
      thread.worker.postMessage(asked, [asked.bytes.buffer]);
    });
  }

  #thread(at: number): Thread {
    const known = this.#threads[at];
    if (known !== undefined) return known;
    const worker = new Worker(FILE);
    const thread: Thread = { worker, waiting: new Map() };
    const end = (id: number): Waiting | undefined => {
      const own = thread.waiting.get(id);
      thread.waiting.delete(id);
      if (thread.waiting.size === 0) worker.unref();
      return own;
    };
    worker.on('message', (answer: Answer) => {
      const own = end(answer.id);
      if ('picture' in answer) own?.resolve(answer.picture);
      else own?.reject('refused' in answer ? refusal(answer.refused) : answer.failed);
    });
    worker.on('error', (cause) => {
      // The next picture gets another thread.
      this.#threads = this.#threads.filter((other) => other !== thread);
      for (const { reject } of thread.waiting.values()) reject(cause);
      thread.waiting.clear();
    });
    worker.unref();
    this.#threads[at] = thread;
    return thread;
  }
}

function refusal({ what, ...details }: Extract<Answer, { refused: object }>['refused']): FormatError {
  return new FormatError(what, details);
}
