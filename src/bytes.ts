/**
 * Bytes as the library works with them. Every function that takes a file's bytes calls `plainBytes` first: a Node `Buffer`
 * is a `Uint8Array` whose `slice` is a view into a pool that other files share, so that `slice().buffer` is not its bytes.
 */
import { OptionError } from './errors.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** What people hand in as bytes: a `Buffer`, a typed array or a `DataView` over part of a buffer, or a whole buffer. */
export type BytesLike = ArrayBufferView | ArrayBufferLike;

/**
 * The same bytes as a plain `Uint8Array`, whatever view they came as; copied only out of shared memory.
 * @throws OptionError for anything that is no bytes
 */
export function plainBytes(given: BytesLike, where = 'bytes'): Bytes {
  if (ArrayBuffer.isView(given)) {
    const { buffer, byteOffset, byteLength } = given;
    return buffer instanceof ArrayBuffer || !isShared(buffer)
      ? new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
      : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
  }
  if (isShared(given)) return new Uint8Array(new Uint8Array(given));
  // Also a buffer of another realm: a frame, or a test's sandbox.
  if (given instanceof ArrayBuffer || Object.prototype.toString.call(given) === '[object ArrayBuffer]') {
    return new Uint8Array(given);
  }
  throw new OptionError('These are no bytes.', {
    given: given === null ? 'null' : typeof given,
    expected: 'a Uint8Array (a Buffer is one) or an ArrayBuffer',
    where,
  });
}

/** A copy with memory of its own, so that its `.buffer` is these bytes and nothing else, aligned for any typed array. */
export function ownBytes(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes);
}

function isShared(buffer: unknown): buffer is SharedArrayBuffer {
  return typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer;
}
