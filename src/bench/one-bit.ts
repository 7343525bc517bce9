/**
 * Weights of one bit, and ternary ones, with a scale for each group of them and real activations, beside the same product of
 * f32 and ONNX Runtime Web's `MatMulNBits` of 2 and 4 bits. All ways of a shape hold the same weights and activations, run in turns,
 * and are compared with float64 first.
 */
import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { pcg4d } from '../numerics/random.ts';
import * as ops from '../ops/index.ts';
import { elapsed, SAMPLE, type Timing, timing } from './measure.ts';
import { type Constant, oneNodeModel } from './peers/onnx-model.ts';
import type { OnnxRuntime } from './peers/onnxruntime.ts';
import { firstLine, type MissingPeer, type Peer } from './peers/peer.ts';

/** A shape in one way. */
export interface OneBitResult {
  /** Of the shape: `one-bit-4096x4096-b1`. */
  readonly id: string;
  readonly name: string;
  readonly way: string;
  readonly runsOn: Peer['runsOn'];
  /** Of the weights with their scales. */
  readonly bytes: number;
  readonly time: Timing;
  /** Bytes of the weights a second over those that a copy reads and writes; of one row of activations on the device. */
  readonly ofCopy?: number | undefined;
  /** The largest difference from float64 over the largest output. */
  readonly error: number;
}

/** A product [batch, inputs] x [outputs, inputs]. */
export interface OneBitShape {
  readonly id: string;
  readonly name: string;
  readonly batch: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Run in software only when it is asked for. */
  readonly large: boolean;
}

/** Signs that share a scale. */
const GROUP = 128;
/** The largest error that is let pass, of the largest output. */
const TOLERANCE = 1e-3;
/** Outputs that are compared with float64. */
const COMPARED = 2048;

export const ONE_BIT_SHAPES: readonly OneBitShape[] = [
  [4096, 4096],
  [2048, 8192],
].flatMap(([inputs = 1, outputs = 1]) =>
  [1, 16, 256].map((batch) => ({
    id: `one-bit-${inputs}x${outputs}-b${batch}`,
    name: `${inputs} x ${outputs}, batch ${batch}`,
    ...{ batch, inputs, outputs },
    large: batch * inputs * outputs > 1.5e9,
  })),
);

/** The operands of a shape, on the host. */
interface Operands extends OneBitShape {
  /** Multiples of 1/64 below 2, which are exact in half floats and as bytes: the largest of each row is 127/64. */
  readonly x: Float32Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly nonzero: Uint32Array<ArrayBuffer>;
  /** Exact in half floats. */
  readonly scales: Float32Array<ArrayBuffer>;
}

function operandsOf(shape: OneBitShape): Operands {
  const { batch, inputs, outputs } = shape;
  const wordAt = (i: number, stream: number) => pcg4d(i, stream, 0, 0)[0];
  return {
    ...shape,
    x: Float32Array.from({ length: batch * inputs }, (_, i) =>
      i % inputs === 0 ? 127 / 64 : ((wordAt(i, 1) % 255) - 127) / 64,
    ),
    words: Uint32Array.from({ length: (inputs * outputs) / 32 }, (_, i) => wordAt(i, 2)),
    // Three of four weights are not 0.
    nonzero: Uint32Array.from({ length: (inputs * outputs) / 32 }, (_, i) => wordAt(i, 3) | wordAt(i, 4)),
    scales: Float32Array.from(
      { length: (inputs * outputs) / GROUP },
      (_, i) => (8 + (wordAt(i, 5) % 8)) / 1024,
    ),
  };
}

/** A weight of the row that begins at `first`. */
function weightAt({ words, scales }: Operands, index: number): number {
  const sign = ((words[index >> 5] ?? 0) >>> (index & 31)) & 1 ? -1 : 1;
  return sign * (scales[Math.floor(index / GROUP)] ?? 0);
}

/** Some outputs, and what they are in float64. */
export interface Expected {
  /** Where they are among all. */
  readonly at: readonly number[];
  readonly values: readonly number[];
}

/** Outputs spread over the whole. */
function expectedOf(operands: Operands, isTernary: boolean): Expected {
  const { batch, inputs, outputs, x, nonzero } = operands;
  const count = Math.min(COMPARED, batch * outputs);
  const at = Array.from({ length: count }, (_, i) => Math.floor((i * batch * outputs) / count));
  const values = at.map((index) => {
    const [row, column] = [Math.floor(index / outputs), index % outputs];
    let sum = 0;
    for (let i = 0; i < inputs; i++) {
      const weight = column * inputs + i;
      if (isTernary && !(((nonzero[weight >> 5] ?? 0) >>> (weight & 31)) & 1)) continue;
      sum += (x[row * inputs + i] ?? 0) * weightAt(operands, weight);
    }
    return sum;
  });
  return { at, values };
}

/** One way to compute a shape. */
interface Way {
  readonly name: string;
  readonly runsOn: Peer['runsOn'];
  readonly bytes: number;
  readonly isTernary?: boolean;
  /** @returns milliseconds of so many runs */
  run(repeats: number): Promise<number>;
  result(): Promise<ArrayLike<number>>;
  dispose(): void | Promise<void>;
}

/** @throws GpuValidationError where an output differs from float64 by more than `TOLERANCE` of the largest */
export function errorOf(way: string, found: ArrayLike<number>, expected: Expected): number {
  const largest = expected.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const errors = expected.values.map(
    (value, i) => Math.abs(value - (found[expected.at[i] ?? 0] ?? Number.NaN)) / largest,
  );
  const worst = errors.findIndex((error) => !(error <= TOLERANCE));
  if (worst < 0) return Math.max(...errors);
  throw new GpuValidationError('A product of weights of one bit is not what float64 gives.', {
    given: String(found[expected.at[worst] ?? 0]),
    expected: `${expected.values[worst]}, to ${TOLERANCE} of ${largest}`,
    where: `${way}, element ${expected.at[worst]}`,
    remedy: `run ${npx('doctor')}; if it finds nothing, report this as a bug`,
  });
}

/** This library's own ways. */
async function ownWays(gpu: Gpu, operands: Operands): Promise<Way[]> {
  const { batch, inputs, outputs } = operands;
  const bits = (inputs * outputs) / 8;
  const scaleBytes = 2 * operands.scales.length;
  const owned: Tensor[] = [];
  const tensor = (...given: Parameters<Gpu['tensor']>) => {
    const made = gpu.tensor(...given);
    owned.push(made);
    return made;
  };
  const x = tensor('x', [batch, inputs], 'f32', operands.x);
  const w = tensor('w', [outputs, inputs], 'bits', operands.words);
  const nonzero = tensor('nonzero', [outputs, inputs], 'bits', operands.nonzero);
  const wide = tensor('scales', [outputs, inputs / GROUP], 'f32', operands.scales);
  const scales = tensor('half scales', [outputs, inputs / GROUP], 'f16');
  const halves = tensor('halves', [batch, inputs], 'f16');
  const weights = tensor(
    'weights',
    [outputs, inputs],
    'f32',
    Float32Array.from({ length: inputs * outputs }, (_, i) => weightAt(operands, i)),
  );
  const before = new ProgramBuilder(gpu, 'half floats');
  ops.roundToHalves(before, x, { out: halves });
  ops.roundToHalves(before, wide, { out: scales });
  using program = await before.compile();
  await gpu.scoped('half floats', () => program.run());

  const wayOf = async (
    name: string,
    bytes: number,
    record: (b: ProgramBuilder) => Tensor,
    isTernary = false,
  ): Promise<Way> => {
    const builder = new ProgramBuilder(gpu, name);
    const out = builder.keep(record(builder));
    const compiled = await builder.compile();
    return {
      ...{ name, bytes, isTernary, runsOn: 'the same device' },
      run: (repeats) => elapsed(gpu, () => compiled.run(repeats)),
      result: async () => {
        compiled.run();
        return gpu.readFloats(out);
      },
      dispose: () => compiled.dispose(),
    };
  };
  const multiply = (b: ProgramBuilder, activations: Tensor, options = {}) =>
    ops.groupedSignMatMul(b, activations, w, scales, options);
  const ways = [
    await wayOf('signs, f32', bits + scaleBytes, (b) => multiply(b, x)),
    await wayOf('signs, f16', bits + scaleBytes, (b) => multiply(b, halves)),
    await wayOf('signs, int8, which it makes', bits + scaleBytes, (b) => {
      const { values, xScales } = ops.quantizeTokens(b, x);
      return multiply(b, values, { xScales });
    }),
    await wayOf('ternary, f32', 2 * bits + scaleBytes, (b) => multiply(b, x, { nonzero }), true),
    await wayOf('f32', weights.byteLength, (b) => ops.matMul(b, x, weights, { transposeB: true })),
  ];
  const [first] = ways;
  if (first === undefined) return ways;
  // The tensors go with one of them.
  return [
    {
      ...first,
      dispose() {
        void first.dispose();
        for (const each of owned) each.dispose();
      },
    },
    ...ways.slice(1),
  ];
}

/** Weights as `MatMulNBits` has them: codes of −1 and +1 around the middle one, the first in the lowest bits. */
function codesOf({ words }: Operands, bits: 2 | 4): Uint8Array<ArrayBuffer> {
  const middle = 2 ** (bits - 1);
  const ofByte = Uint32Array.from({ length: 256 }, (_, byte) => {
    let codes = 0;
    for (let i = 0; i < 8; i++) codes |= (middle + ((byte >> i) & 1 ? -1 : 1)) << (bits * i);
    return codes;
  });
  const signs = new Uint8Array(words.buffer);
  const codes = bits === 4 ? new Uint32Array(signs.length) : new Uint16Array(signs.length);
  for (let i = 0; i < signs.length; i++) codes[i] = ofByte[signs[i] ?? 0] ?? 0;
  return new Uint8Array(codes.buffer);
}

async function onnxWay(runtime: OnnxRuntime, operands: Operands, bits: 2 | 4): Promise<Way> {
  const { batch, inputs, outputs, x, scales } = operands;
  const groups = inputs / GROUP;
  const constants: Readonly<Record<string, Constant>> = {
    w: { shape: [outputs, groups, (GROUP * bits) / 8], values: codesOf(operands, bits) },
    scales: { shape: [outputs, groups], values: scales },
  };
  const model = oneNodeModel({
    operator: 'MatMulNBits',
    domain: 'com.microsoft',
    attributes: { K: inputs, N: outputs, bits, block_size: GROUP },
    ...{ x: [batch, inputs], constants, y: [batch, outputs] },
  });
  const opened = await runtime.open(model, x, [batch, inputs]);
  return {
    name: `${runtime.name}, MatMulNBits of ${bits}`,
    runsOn: runtime.runsOn,
    bytes: (inputs * outputs * bits) / 8 + scales.byteLength,
    ...opened,
  };
}

export interface OneBitOptions {
  /** Runtimes beside which it is measured: the processor's first, since in the place of a browser's GPU ours says there is one thread. */
  readonly peers: readonly ((gpu: Gpu) => Promise<OnnxRuntime | MissingPeer>)[];
  /** Rounds in which every way runs once. */
  readonly rounds: number;
  /** Bytes a second that a copy reads and writes. */
  readonly copy: number;
  /** Told why a peer isn't measured. */
  readonly missing: (peer: MissingPeer) => void;
}

/** Measures one shape in all ways. @throws GpuValidationError where a result is wrong */
export async function benchOneBit(
  gpu: Gpu,
  shape: OneBitShape,
  { peers, rounds, copy, missing }: OneBitOptions,
): Promise<OneBitResult[]> {
  const operands = operandsOf(shape);
  const runtimes: OnnxRuntime[] = [];
  const ways: Way[] = [];
  try {
    ways.push(...(await ownWays(gpu, operands)));
    for (const open of peers) {
      const runtime = await open(gpu);
      if (!('open' in runtime)) {
        missing(runtime);
        continue;
      }
      runtimes.push(runtime);
      for (const bits of [2, 4] as const) {
        try {
          ways.push(await onnxWay(runtime, operands, bits));
        } catch (cause) {
          missing({ name: `${runtime.name}, MatMulNBits of ${bits}`, reason: firstLine(cause) });
        }
      }
    }
    const expected = { signs: expectedOf(operands, false), ternary: expectedOf(operands, true) };
    const measured = [];
    for (const way of ways) {
      const error = errorOf(way.name, await way.result(), way.isTernary ? expected.ternary : expected.signs);
      const once = await way.run(1);
      const repeats = Math.min(4096, Math.max(1, Math.ceil(SAMPLE / Math.max(once, 0.001))));
      measured.push({ way, error, repeats, times: repeats === 1 ? [once] : [] });
    }
    for (let round = 0; round < rounds; round++) {
      for (const { way, repeats, times } of measured) {
        if (times.length < rounds) times.push((await way.run(repeats)) / repeats);
      }
    }
    return measured.map(({ way, error, times }): OneBitResult => {
      const { name: wayName, runsOn, bytes } = way;
      const time = timing(times);
      return {
        ...{ id: shape.id, name: shape.name, way: wayName, runsOn, bytes, time, error },
        ...(shape.batch === 1 &&
          runsOn === 'the same device' && { ofCopy: bytes / (time.median / 1000) / copy }),
      };
    });
  } finally {
    for (const way of ways.reverse()) await way.dispose();
    for (const runtime of runtimes.reverse()) runtime.dispose();
  }
}
