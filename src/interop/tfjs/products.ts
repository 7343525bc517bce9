/**
 * Products of quantized operands. On TensorFlow.js' WebGPU backend those with binary weights are kernels of this
 * library, forward and backward, registered with TensorFlow.js; on its cpu and wasm backends those of signs with signs run in the
 * WebAssembly engine while no gradients are recorded. Everywhere else, and for other weights, they are its own operations on
 * quantized floats. The numbers are the same: sums of signs are exact either way.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type ProgramBuilder, Routine, Tensor } from '../../gpu/index.ts';
import { binaryConv2d, type Conv2dOptions, resolveConv2d, signConv2d } from '../../ops/conv.ts';
import {
  binaryConv2dGradInput,
  binaryConv2dGradWeights,
  signConv2dGradWeights,
} from '../../ops/conv-gradients.ts';
import {
  binaryMatMul,
  binaryMatMulGradInput,
  binaryMatMulGradWeights,
  matMul,
  packSigns,
  signMatMul,
} from '../../ops/dense.ts';
import { outputsLast, packSignsOutputsLast } from '../../ops/outputs-last.ts';
import { binarize, binarizeGrad } from '../../ops/quantize.ts';
import {
  assertLive,
  KERNELS_FLAG,
  routineFor,
  runRoutine,
  WEBGPU,
  type WebGpuBackend,
  webgpuBackend,
} from './backend.ts';
import { productOnProcessor } from './processor.ts';
import { idOf } from './pseudo-gradient.ts';
import { MagnitudeAwareSign, meanMagnitude, type Quantizer, type Surrogate } from './quantizers.ts';

type Pair = readonly [y: number, x: number];

/** How a convolution's windows lie, with the padding worked out. */
export interface Windows {
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly padding: readonly [Pair, Pair];
  /** What taps outside the image read. */
  readonly padValue: number;
  readonly groups: number;
}

export interface ProductOptions {
  readonly inputQuantizer: Quantizer | undefined;
  readonly kernelQuantizer: Quantizer | undefined;
  /** Of a convolution; absent for a matrix product. */
  readonly windows?: Windows | undefined;
}

/** What the kernels are told: plain values, from which the name of a routine is made. */
interface ProductAttrs {
  readonly input: Surrogate | null;
  readonly kernel: Surrogate;
  readonly windows: Windows | null;
}

const FORWARD = 'BinaryProduct';
const GRAD_INPUT = 'BinaryProductGradInput';
const GRAD_KERNEL = 'BinaryProductGradKernel';

/**
 * A matrix product, or a convolution, of an input with a kernel, both quantized first; differentiable in both.
 * @param x f32 [M, K], or [N, H, W, C]
 * @param w f32 [K, O], or [kh, kw, C/groups, O]
 * @returns f32 [M, O], or [N, OH, OW, O]
 * @throws DisposedError, ShapeError, OptionError
 */
export function quantizedProduct(x: tf.Tensor, w: tf.Tensor, options: ProductOptions): tf.Tensor {
  assertLive(x, FORWARD);
  assertLive(w, FORWARD);
  const { inputQuantizer, kernelQuantizer, windows } = options;
  if (kernelQuantizer instanceof MagnitudeAwareSign) {
    // Sums of signs are exact, and so are zeros among them; the scale comes after.
    kernelQuantizer.track(w);
    const signs = quantizedProduct(x, w, { ...options, kernelQuantizer: kernelQuantizer.signs });
    return scaledByMagnitude(signs, w);
  }
  const reals = x.dtype === 'float32' ? x : tf.cast(x, 'float32');
  const kernel = kernelQuantizer?.surrogate;
  const input = inputQuantizer?.surrogate;
  const known = inputQuantizer === undefined || (input !== undefined && !input.scaled);
  const padding = windows === undefined || [-1, 0, 1].includes(windows.padValue);
  if (kernel !== undefined && !kernel.scaled && known && padding && x.size > 0) {
    const attrs: ProductAttrs = { input: input ?? null, kernel, windows: windows ?? null };
    const product = usesKernels()
      ? tf.engine().runKernel<tf.Tensor>(FORWARD, { x: reals, w }, attrs as unknown as tf.NamedAttrMap)
      : onProcessor(reals, w, attrs);
    if (product !== undefined) {
      inputQuantizer?.track(reals);
      kernelQuantizer?.track(w);
      return product;
    }
  }
  const [a, b] = [inputQuantizer?.apply(reals) ?? reals, kernelQuantizer?.apply(w) ?? w];
  return windows === undefined
    ? tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)
    : plainConv2d(a as tf.Tensor4D, b as tf.Tensor4D, windows);
}

function usesKernels(): boolean {
  return tf.env().getBool(KERNELS_FLAG) && webgpuBackend() !== undefined;
}

/** Of signs with signs: sums of reals would depend on who adds them. */
function onProcessor(x: tf.Tensor, w: tf.Tensor, { input, windows }: ProductAttrs): tf.Tensor | undefined {
  if (input === null) return undefined;
  const options = windows === null ? undefined : conv2dOptions(windows);
  return productOnProcessor(x, w, options, outputShape(x, w, windows));
}

/** A convolution as operations of TensorFlow.js that have gradients on every backend. */
function plainConv2d(x: tf.Tensor4D, w: tf.Tensor4D, windows: Windows): tf.Tensor {
  const { strides, dilations, padding, padValue, groups } = windows;
  const [rows, columns] = padding.map(([before, after]) => [before, after] as [number, number]);
  const pads = [[0, 0], rows, columns, [0, 0]] as [number, number][];
  const padded = padding.flat().some((pixels) => pixels > 0) ? (tf.pad(x, pads, padValue) as tf.Tensor4D) : x;
  const kernel = dilated(w, dilations);
  const [y, right] = strides;
  const convolve = (a: tf.Tensor4D, b: tf.Tensor4D) => tf.conv2d(a, b, [y, right], 'valid');
  if (groups === 1) return convolve(padded, kernel);
  const inputs = tf.split<tf.Tensor4D>(padded, groups, 3);
  const kernels = tf.split<tf.Tensor4D>(kernel, groups, 3);
  return tf.concat(
    inputs.map((input, group) => convolve(input, kernels[group] as tf.Tensor4D)),
    3,
  );
}

/** A kernel with its taps apart, and zeros between: TensorFlow.js has no gradient of a dilated convolution. */
function dilated(w: tf.Tensor4D, [dilationY, dilationX]: Pair): tf.Tensor4D {
  if (dilationY === 1 && dilationX === 1) return w;
  const [height, width, channels, outputs] = w.shape;
  // Axis by axis, since its WebGPU backend pads four axes at most.
  const row = width * channels * outputs;
  const rows = tf.pad(tf.reshape(w, [height, 1, row]), [
    [0, 0],
    [0, dilationY - 1],
    [0, 0],
  ]);
  const tall = height * dilationY;
  const columns = tf.pad(tf.reshape(rows, [tall, width, 1, channels * outputs]), [
    [0, 0],
    [0, 0],
    [0, dilationX - 1],
    [0, 0],
  ]);
  const size = [tall, width * dilationX, channels, outputs];
  const reach = [(height - 1) * dilationY + 1, (width - 1) * dilationX + 1, channels, outputs];
  return tf.slice(tf.reshape(columns, size), [0, 0, 0, 0], reach) as tf.Tensor4D;
}

/** The operands of a routine, recorded into a program. */
interface Operands {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly attrs: ProductAttrs;
}

const conv2dOptions = ({ strides, dilations, padding, padValue, groups }: Windows): Conv2dOptions => ({
  strides,
  dilations,
  padding,
  padValue: padValue as 0 | 1 | -1,
  groups,
});

function recordForward(b: ProgramBuilder, { x, w, attrs }: Operands): Tensor {
  const bits = packSignsOutputsLast(b, w);
  if (attrs.windows === null) {
    return attrs.input === null ? signMatMul(b, x, bits) : binaryMatMul(b, packSigns(b, x), bits);
  }
  const options = conv2dOptions(attrs.windows);
  return attrs.input === null
    ? signConv2d(b, x, bits, options)
    : binaryConv2d(b, packSigns(b, x), bits, options);
}

function recordGradInput(b: ProgramBuilder, g: Tensor, { x, w, attrs }: Operands): Tensor {
  const { input, windows } = attrs;
  const bits = packSignsOutputsLast(b, w);
  const gate = input === null ? undefined : binarize(b, x, input.quantizer).gate;
  const gradient =
    windows === null
      ? binaryMatMulGradInput(b, g, bits, { gate })
      : binaryConv2dGradInput(b, g, bits, { ...conv2dOptions(windows), inputShape: x.shape, gate });
  return input === null || gate !== undefined
    ? gradient
    : binarizeGrad(b, gradient, { quantizer: input.quantizer, x });
}

function recordGradKernel(b: ProgramBuilder, g: Tensor, { x, w, attrs }: Operands): Tensor {
  const { input, kernel, windows } = attrs;
  let gradient: Tensor;
  if (windows === null) {
    gradient =
      input === null
        ? matMul(b, x, g, { transposeA: true })
        : outputsLast(b, binaryMatMulGradWeights(b, g, packSigns(b, x)));
  } else {
    const [height = 1, width = 1, channels = 1, outputs = 1] = w.shape;
    const options = { ...conv2dOptions(windows), filterShape: [outputs, height, width, channels] };
    gradient = outputsLast(
      b,
      input === null
        ? signConv2dGradWeights(b, g, x, options)
        : binaryConv2dGradWeights(b, g, packSigns(b, x), options),
    );
  }
  return binarizeGrad(b, gradient, { quantizer: kernel.quantizer, x: w });
}

/** Shape of the product. @throws ShapeError, OptionError */
function outputShape(x: tf.TensorInfo, w: tf.TensorInfo, windows: Windows | null): number[] {
  if (windows === null) return [x.shape[0] ?? 1, w.shape[1] ?? 1];
  const [height = 1, width = 1, channels = 1, outputs = 1] = w.shape;
  const { outputShape: shape } = resolveConv2d(
    x.shape,
    [outputs, height, width, channels],
    conv2dOptions(windows),
    FORWARD,
  );
  return [...shape];
}

/** Names a routine by everything that it depends on. */
function keyOf(name: string, attrs: ProductAttrs, ...operands: readonly tf.TensorInfo[]): string {
  const quantizers = [attrs.input, attrs.kernel].map((surrogate) => surrogate && idOf(surrogate.quantizer));
  return [name, ...operands.map(({ shape }) => shape.join('x')), ...quantizers, JSON.stringify(attrs)].join(
    ' ',
  );
}

function operandsOf(x: tf.TensorInfo, w: tf.TensorInfo, attrs: ProductAttrs): Operands {
  return { x: new Tensor('x', x.shape, 'f32'), w: new Tensor('w', w.shape, 'f32'), attrs };
}

/** A kernel's operands that no dispatch reads aren't bound. */
type Kernel = (
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  backend: WebGpuBackend,
  attrs: ProductAttrs,
) => tf.TensorInfo;

const forward: Kernel = (inputs, backend, attrs) => {
  const { x, w } = inputs as Record<'x' | 'w', tf.TensorInfo>;
  const y = backend.makeTensorInfo(outputShape(x, w, attrs.windows), 'float32');
  const routine = routineFor(backend, keyOf(FORWARD, attrs, x, w), (gpu) => {
    const operands = operandsOf(x, w, attrs);
    return new Routine(gpu, FORWARD, (b) => ({
      x: operands.x,
      w: operands.w,
      y: recordForward(b, operands),
    }));
  });
  runRoutine(backend, routine, { x, w, y });
  return y;
};

const gradInput: Kernel = (inputs, backend, attrs) => {
  const { dy, x, w } = inputs as Record<'dy' | 'x' | 'w', tf.TensorInfo>;
  const dx = backend.makeTensorInfo([...x.shape], 'float32');
  const routine = routineFor(backend, keyOf(GRAD_INPUT, attrs, x, w), (gpu) => {
    const operands = operandsOf(x, w, attrs);
    const g = new Tensor('dy', dy.shape, 'f32');
    return new Routine(gpu, GRAD_INPUT, (b) => ({
      dy: g,
      x: operands.x,
      w: operands.w,
      dx: recordGradInput(b, g, operands),
    }));
  });
  runRoutine(backend, routine, { dy, x, w, dx });
  return dx;
};

const gradKernel: Kernel = (inputs, backend, attrs) => {
  const { dy, x, w } = inputs as Record<'dy' | 'x' | 'w', tf.TensorInfo>;
  const dw = backend.makeTensorInfo([...w.shape], 'float32');
  const routine = routineFor(backend, keyOf(GRAD_KERNEL, attrs, x, w), (gpu) => {
    const operands = operandsOf(x, w, attrs);
    const g = new Tensor('dy', dy.shape, 'f32');
    return new Routine(gpu, GRAD_KERNEL, (b) => ({
      dy: g,
      x: operands.x,
      w: operands.w,
      dw: recordGradKernel(b, g, operands),
    }));
  });
  runRoutine(backend, routine, { dy, x, w, dw });
  return dw;
};

/** A product times the mean magnitudes of its kernel, by output; they pass no gradient. */
function scaledByMagnitude(product: tf.Tensor, w: tf.Tensor): tf.Tensor {
  const scale = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [y, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([w]);
    return {
      value: tf.mul(y, meanMagnitude(w)),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, meanMagnitude(saved as tf.Tensor)),
    };
  }) as (y: tf.Tensor) => tf.Tensor;
  return scale(product);
}

/** Tells TensorFlow.js of the kernels and their gradients. Once is enough. */
export function registerProducts(): void {
  tf.env().registerFlag(KERNELS_FLAG, () => true);
  const register = (kernelName: string, kernel: Kernel) =>
    tf.registerKernel({
      kernelName,
      backendName: WEBGPU,
      kernelFunc: ({ inputs, backend, attrs }) =>
        kernel(
          inputs as Record<string, tf.TensorInfo>,
          backend as WebGpuBackend,
          attrs as unknown as ProductAttrs,
        ),
    });
  register(FORWARD, forward);
  register(GRAD_INPUT, gradInput);
  register(GRAD_KERNEL, gradKernel);
  tf.registerGradient({
    kernelName: FORWARD,
    inputsToSave: ['x', 'w'],
    gradFunc: (dy, [x, w], attrs) => {
      const inputs = { dy: dy as tf.Tensor, x: x as tf.Tensor, w: w as tf.Tensor };
      // Only those that somebody needs are computed.
      return {
        x: () => tf.engine().runKernel(GRAD_INPUT, inputs, attrs),
        w: () => tf.engine().runKernel(GRAD_KERNEL, inputs, attrs),
      };
    },
  });
}
