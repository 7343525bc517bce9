/** A thread that decodes pictures: a file of its own in the build, started by `picture-pool.ts`. */
import { parentPort } from 'node:worker_threads';
import { sized } from '../data/pictures.ts';
import { FormatError } from '../errors.ts';
import type { Picture } from '../pictures.ts';
import { decodePicture } from './images.ts';

/** What a thread is asked for. */
export interface Asked {
  readonly id: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly where: string;
  readonly size: readonly [height: number, width: number] | undefined;
}

/** What it answers: a picture, or why there is none. */
export type Answer = { readonly id: number } & (
  | { readonly picture: Picture }
  | {
      readonly refused: Pick<FormatError, 'what' | 'given' | 'expected' | 'where' | 'remedy'>;
    }
  | { readonly failed: unknown }
);

parentPort?.on('message', async ({ id, bytes, where, size }: Asked) => {
  const answer: Answer = await decodePicture(bytes, where).then(
    (picture) => ({ id, picture: sized(picture, size) }),
    (cause: unknown) => {
      if (!(cause instanceof FormatError)) return { id, failed: cause };
      const { what, given, expected, where: place, remedy } = cause;
      return { id, refused: { what, given, expected, where: place, remedy } };
    },
  );
  const memory = 'picture' in answer ? [answer.picture.data.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(answer, memory);
});
