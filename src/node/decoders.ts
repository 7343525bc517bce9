/**
 * Compiled code that decodes JPEG and WebP, and is read when such a picture is: beside this file in the built package, and
 * in the packages that it comes from where the sources run.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MOZJPEG = '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm';
export const LIBWEBP = '@jsquash/webp/codec/dec/webp_dec.wasm';
export const DECODERS = [MOZJPEG, LIBWEBP] as const;
export type Decoder = (typeof DECODERS)[number];

/** Path of a decoder's compiled code. @throws Error where it is neither in the build nor installed */
export function decoderFile(name: Decoder): string {
  const built = join(dirname(fileURLToPath(import.meta.url)), basename(name));
  return existsSync(built) ? built : createRequire(import.meta.url).resolve(name);
}
