/** Images for a network, from the files that people have. */
import { decode, hasPngSignature } from 'fast-png';
import { FormatError } from '../errors.ts';
import { parseCifar10, parseIdx, type Shape, sizeOf } from '../index.ts';
import { readFileChecked } from '../node/index.ts';

export const IMAGE_FILES = 'PNG, idx, CIFAR-10 records (.bin), or numbers in NHWC (.npy, f32)';

/**
 * Reads a file of images.
 * @param shape [height, width, channels] that the network takes
 * @returns bytes of pixels, or the numbers of a NumPy file, as the network takes them
 * @throws FormatError for a file of another kind, or images of another size
 */
export async function readImages(path: string, shape: Shape): Promise<Uint8Array | Float32Array> {
  const bytes = await readFileChecked(path);
  const images = decodeImages(bytes, path, shape);
  if (images.length === 0 || images.length % sizeOf(shape) !== 0) {
    throw misfit(`${images.length} values`, `a multiple of ${sizeOf(shape)}`, shape, path);
  }
  return images;
}

function decodeImages(bytes: Uint8Array<ArrayBuffer>, path: string, shape: Shape): Uint8Array | Float32Array {
  if (hasPngSignature(bytes)) return readPng(bytes, path, shape);
  if (bytes[0] === 0x93 && bytes[1] === 0x4e) return readNpy(bytes, path);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    throw new FormatError('JPEG images are not read here.', {
      where: path,
      expected: IMAGE_FILES,
      remedy: 'save it as PNG',
    });
  }
  return path.endsWith('.bin') ? parseCifar10([{ bytes, where: path }]).images : parseIdx(bytes, path).data;
}

/** A picture of the network's size, its channels as the network wants them: grey from colour is not guessed. */
function readPng(bytes: Uint8Array<ArrayBuffer>, path: string, shape: Shape): Uint8Array<ArrayBuffer> {
  const image = (() => {
    try {
      return decode(bytes, { checkCrc: true });
    } catch (cause) {
      throw new FormatError("This PNG image can't be decoded.", {
        given: cause instanceof Error ? cause.message : String(cause),
        where: path,
        cause,
      });
    }
  })();
  const { width, height, data, depth, channels, palette } = image;
  const [rows, columns, wanted = 1] = shape;
  const given = `${height} x ${width}, ${channels} channels of ${depth} bits${palette ? ', a palette' : ''}`;
  // Grey, grey with alpha, colour, colour with alpha.
  const colours = channels <= 2 ? 1 : 3;
  const fits = height === rows && width === columns && colours === wanted && depth === 8 && !palette;
  if (!fits) throw misfit(given, '8 bits a channel, no palette', shape, path);
  const pixels = new Uint8Array(height * width * wanted);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let c = 0; c < wanted; c++) pixels[pixel * wanted + c] = data[pixel * channels + c] ?? 0;
  }
  return pixels;
}

/** The numbers of a NumPy file of version 1. @throws FormatError unless they are f32 in C order */
function readNpy(bytes: Uint8Array<ArrayBuffer>, where: string): Float32Array<ArrayBuffer> {
  const isNpy = bytes.length >= 10 && new TextDecoder('latin1').decode(bytes.subarray(1, 6)) === 'NUMPY';
  const start = isNpy ? 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true) : 0;
  const header = new TextDecoder('latin1').decode(bytes.subarray(10, start));
  const isFloat = header.includes("'<f4'") && header.includes("'fortran_order': False");
  if (!isNpy || bytes[6] !== 1 || !isFloat || start >= bytes.length || (bytes.length - start) % 4 !== 0) {
    throw new FormatError("This .npy file can't be read.", {
      given: isNpy ? header.trim().slice(0, 120) : 'no NumPy header',
      expected: "version 1, '<f4', C order",
      where,
    });
  }
  // A copy, so that the numbers are aligned: a Buffer's own slice would be a view.
  return new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
}

function misfit(given: string, expected: string, shape: Shape, where: string): FormatError {
  return new FormatError("These images don't fit the network.", {
    given,
    expected: `${shape.join(' x ')}: ${expected}`,
    where,
    remedy: 'scale or crop them first: that is part of how the network was trained',
  });
}
