/** Larq Compute Engine's operators on packed words on the host, for backends of TensorFlow.js other than WebGPU. */
import { wordsFor } from '../../gpu/index.ts';
import { popcount } from '../../numerics/pack.ts';
import { type Conv2dWindows, eachTap, eachWindow, type Pool2dWindows } from '../../numerics/windows.ts';

/**
 * The sums of a binary convolution by XOR and popcount.
 * @param x bits [N, H, W, C]
 * @param filters bits [O, kh, kw, C/groups]
 * @returns [N, OH, OW, O]
 */
export function binaryConv2d(
  x: ArrayLike<number>,
  filters: ArrayLike<number>,
  windows: Conv2dWindows,
): Int32Array<ArrayBuffer> {
  const { channels, outChannels, groups, padValue } = windows;
  const taps = windows.kernelHeight * windows.kernelWidth;
  const [groupChannels, groupOutputs] = [channels / groups, outChannels / groups];
  const [pixelWords, tapWords] = [wordsFor(channels), wordsFor(groupChannels)];
  const padBits = padValue < 0 ? -1 : 0;
  const sums = new Int32Array(windows.batch * windows.outHeight * windows.outWidth * outChannels);
  eachTap(windows, (outPixel, tap, inPixel) => {
    if (inPixel < 0 && padValue === 0) return;
    for (let o = 0; o < outChannels; o++) {
      const first = Math.floor(o / groupOutputs) * groupChannels;
      let unequal = 0;
      for (let word = 0; word < tapWords; word++) {
        const signs = inPixel < 0 ? padBits : bitsAt(x, inPixel * pixelWords, first + 32 * word);
        const counted = -1 >>> Math.max(0, 32 * (word + 1) - groupChannels);
        unequal += popcount((signs ^ (filters[(o * taps + tap) * tapWords + word] ?? 0)) & counted);
      }
      const at = outPixel * outChannels + o;
      sums[at] = (sums[at] ?? 0) + groupChannels - 2 * unequal;
    }
  });
  return sums;
}

/** 32 bits of a row that starts at a word, from a bit on: a group's channels need not start at a word. */
function bitsAt(x: ArrayLike<number>, row: number, bit: number): number {
  const [word, shift] = [row + (bit >>> 5), bit & 31];
  const low = (x[word] ?? 0) >>> shift;
  return shift === 0 ? low : low | ((x[word + 1] ?? 0) << (32 - shift));
}

/**
 * The largest sign of each window: the AND of its words.
 * @param x bits [N, H, W, C]
 * @returns bits [N, OH, OW, C]
 */
export function signPool2d(x: ArrayLike<number>, windows: Pool2dWindows): Uint32Array<ArrayBuffer> {
  const words = wordsFor(windows.channels);
  const out = new Uint32Array(windows.batch * windows.outHeight * windows.outWidth * words);
  eachWindow({ ...windows, channels: words }, (output, inputs) => {
    out[output] = inputs.reduce((bits, i) => bits & (x[i] ?? 0), -1);
  });
  return out;
}
