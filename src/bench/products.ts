/** Matrix products and convolutions in two forms, of signs and of floats, on the same values of ±1. */
import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder, type Shape, sizeOf } from '../gpu/index.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { type Timing, timeOnGpu, timeProgram } from './measure.ts';

export interface Product {
  readonly name: string;
  readonly kind: 'matmul' | 'conv';
  /** [M, K], or [N, H, W, C]. */
  readonly a: Shape;
  /** [N, K], or [O, 3, 3, C]; a convolution is padded with zeros to the size of its input. */
  readonly w: Shape;
  /** Multiply-accumulates of one run. */
  readonly macs: number;
}

export interface ProductResult {
  readonly name: string;
  readonly macs: number;
  readonly binary: Timing;
  /** By the timestamps of the GPU, where there are any. */
  readonly binaryOnGpu: Timing | undefined;
  readonly float: Timing;
  readonly floatOnGpu: Timing | undefined;
  /** Median f32 time over median binary time. */
  readonly ratio: number;
  readonly shares: {
    /** Popcounts a second that plain counting would need for the binary time, over the ceiling. */
    readonly popcounts: number;
    /** Bytes of operands and result a second, over the copy's. */
    readonly memory: number;
    /** Multiply-adds a second of the f32 form, over the ceiling. */
    readonly multiplyAdds: number;
  };
}

export function matMulProduct(m: number, k: number, n: number): Product {
  return { name: `matmul ${m} x ${k} x ${n}`, kind: 'matmul', a: [m, k], w: [n, k], macs: m * k * n };
}

export function convProduct(size: number, inputs: number, outputs: number, batch: number): Product {
  const channels = inputs === outputs ? `${inputs}` : `${inputs} to ${outputs}`;
  return {
    name: `conv 3x3 ${size} x ${size} x ${channels}, batch ${batch}`,
    kind: 'conv',
    a: [batch, size, size, inputs],
    w: [outputs, 3, 3, inputs],
    macs: batch * size * size * inputs * outputs * 9,
  };
}

/** The four 3×3 convolutions of a residual network. */
export function residualConvolutions(batch: number): Product[] {
  return [
    convProduct(56, 64, 64, batch),
    convProduct(28, 128, 128, batch),
    convProduct(14, 256, 256, batch),
    convProduct(7, 512, 512, batch),
  ];
}

/** Matrix products; a software adapter would take minutes over the large ones. */
export function matMuls(software: boolean): Product[] {
  return [
    matMulProduct(100, 512, 512),
    matMulProduct(512, 512, 512),
    matMulProduct(512, 1024, 512),
    matMulProduct(1024, 1024, 1024),
    ...(software
      ? []
      : [
          matMulProduct(2048, 2048, 2048),
          matMulProduct(4096, 784, 4096),
          matMulProduct(4096, 4096, 4096),
          matMulProduct(8192, 8192, 8192),
        ]),
  ];
}

/** The products of signs in `binarynet`: five convolutions after the first, and the first dense layer. */
export function binarynetLayers(batch: number): Product[] {
  return [
    convProduct(32, 128, 128, batch),
    convProduct(16, 128, 256, batch),
    convProduct(16, 256, 256, batch),
    convProduct(8, 256, 512, batch),
    convProduct(8, 512, 512, batch),
    matMulProduct(batch, 8192, 1024),
  ];
}

/** Signs that look random and are the same in every run. */
export function signs(shape: Shape, salt: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    Math.imul(i + salt, 2654435761) & 0x10000 ? 1 : -1,
  );
}

export const SALT = { a: 1, w: 7 } as const;

/**
 * Times both forms of a product and compares all that they computed.
 * @param options.also called with the common result, to compare more with it
 * @throws GpuValidationError where the forms differ
 */
export async function benchProduct(
  gpu: Gpu,
  product: Product,
  ceilings: Ceilings,
  options: {
    readonly runs: number;
    readonly also?: (result: Float32Array<ArrayBuffer>) => Promise<void>;
  },
): Promise<ProductResult> {
  using a = gpu.tensor('a', product.a, 'f32', signs(product.a, SALT.a));
  using w = gpu.tensor('w', product.w, 'f32', signs(product.w, SALT.w));
  using aBits = gpu.tensor('a', product.a, 'bits');
  using wBits = gpu.tensor('w', product.w, 'bits');
  const packing = new ProgramBuilder(gpu, 'pack');
  ops.packSigns(packing, a, { out: aBits });
  ops.packSigns(packing, w, { out: wBits });
  {
    using pack = await packing.compile();
    pack.run();
    await gpu.finished();
  }
  const same = { padding: 'same' } as const;
  const binaryBuilder = new ProgramBuilder(gpu, `binary ${product.name}`);
  const binaryOut = binaryBuilder.keep(
    product.kind === 'conv'
      ? ops.binaryConv2d(binaryBuilder, aBits, wBits, same)
      : ops.binaryMatMul(binaryBuilder, aBits, wBits),
  );
  const floatBuilder = new ProgramBuilder(gpu, `float ${product.name}`);
  const floatOut = floatBuilder.keep(
    product.kind === 'conv'
      ? ops.conv2d(floatBuilder, a, w, same)
      : ops.matMul(floatBuilder, a, w, { transposeB: true }),
  );
  using binaryProgram = await binaryBuilder.compile();
  using floatProgram = await floatBuilder.compile();
  const binary = await timeProgram(gpu, binaryProgram, options);
  const float = await timeProgram(gpu, floatProgram, options);
  // On a software adapter timestamps are the host's clock once more.
  const stamped = gpu.adapter.software ? 0 : options.runs;
  const binaryOnGpu = stamped > 0 ? await timeOnGpu(binaryProgram, stamped) : undefined;
  const floatOnGpu = stamped > 0 ? await timeOnGpu(floatProgram, stamped) : undefined;

  const result = await gpu.readFloats(binaryOut);
  assertSame(product.name, result, await gpu.readFloats(floatOut), "this library's f32 kernel");
  await options.also?.(result);
  const seconds = (binaryOnGpu ?? binary).median / 1000;
  const floatSeconds = (floatOnGpu ?? float).median / 1000;
  const bytes = aBits.byteLength + wBits.byteLength + binaryOut.byteLength;
  return {
    name: product.name,
    macs: product.macs,
    binary,
    binaryOnGpu,
    float,
    floatOnGpu,
    ratio: floatSeconds / seconds,
    shares: {
      popcounts: product.macs / 32 / seconds / ceilings.popcounts.perSecond,
      memory: bytes / seconds / ceilings.copy.perSecond,
      multiplyAdds: product.macs / floatSeconds / ceilings.multiplyAdds.perSecond,
    },
  };
}

/** Sums of ±1 are exact in f32, so all forms must agree to the bit. @throws GpuValidationError at the first difference */
export function assertSame(name: string, got: Float32Array, expected: Float32Array, whose: string): void {
  const wrong =
    got.length === expected.length ? got.findIndex((value, i) => value !== expected[i]) : got.length;
  if (wrong < 0) return;
  throw new GpuValidationError('The binary kernel computed something else than its f32 counterpart.', {
    given: String(got[wrong]),
    expected: `${expected[wrong]}, by ${whose}`,
    where: `${name}, element ${wrong}`,
    remedy: 'run webgpu-bnn doctor; if it finds nothing, report this as a bug',
  });
}
