/**
 * Larq for TensorFlow.js. Importing this once makes TensorFlow.js know Larq's layers, quantizers, constraint and
 * optimizer by the names that Larq gives them, so that `tf.loadLayersModel` reads a converted Larq model, and
 * `tf.sequential` takes the layers made here. On its WebGPU backend their binary work runs in this library's kernels, on
 * TensorFlow.js' own device and buffers; on its cpu and wasm backends inference runs in the WebAssembly engine (`loadEngine`).
 *
 *   import * as tf from '@tensorflow/tfjs';
 *   import '@tensorflow/tfjs-backend-webgpu';
 *   import { quantDense } from 'webgpu-bnn/tfjs';
 *
 *   await tf.setBackend('webgpu');
 *   const model = tf.sequential();
 *   model.add(quantDense({ units: 64, inputQuantizer: 'ste_sign', kernelQuantizer: 'ste_sign',
 *     kernelConstraint: 'weight_clip', inputShape: [784] }));
 */
import { serialization } from '@tensorflow/tfjs-core';
import { WeightClip } from './constraints.ts';
import { registerLayers } from './layers.ts';
import { registerOperatorKernels } from './operators.ts';
import { Bop } from './optimizers.ts';
import { registerProducts } from './products.ts';
import { registerPseudoGradient } from './pseudo-gradient.ts';
import { QUANTIZERS } from './quantizers.ts';
import { provideAll } from './shaders.ts';

export * from '../../errors.ts';
export {
  type ComparedTraining,
  type Comparison,
  type ComparisonOptions,
  compareTraining,
} from './comparison.ts';
export { WeightClip } from './constraints.ts';
export {
  QuantConv1D,
  QuantConv2D,
  type QuantConvArgs,
  QuantDense,
  type QuantDenseArgs,
  QuantDepthwiseConv2D,
  type QuantDepthwiseConv2DArgs,
  QuantSeparableConv2D,
  type QuantSeparableConv2DArgs,
  quantConv1d,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
} from './layers.ts';
export { FlipRatio } from './metrics.ts';
export { toLayersModel } from './models.ts';
export {
  type GraphNode,
  type LceConvOptions,
  type LcePoolOptions,
  lceBconv2d,
  lceBMaxPool2d,
  lceDequantize,
  lceQuantize,
  registerOperators,
} from './operators.ts';
export { Bop, type BopOptions, type Case, CaseOptimizer, type Hyper } from './optimizers.ts';
export { loadEngine } from './processor.ts';
export {
  ApproxSign,
  type ClippedOptions,
  DoReFa,
  type DoReFaOptions,
  getQuantizer,
  MagnitudeAwareSign,
  type MethodOptions,
  MethodQuantizer,
  NoOp,
  type NoOpOptions,
  Quantizer,
  type QuantizerIdentifier,
  type QuantizerOptions,
  SteHeaviside,
  SteSign,
  SteTern,
  type SteTernOptions,
  SwishSign,
  type SwishSignOptions,
} from './quantizers.ts';

/** Registers a class by its own name, and by those that it goes by elsewhere, with and without underscores. */
function register<T extends serialization.Serializable>(
  made: serialization.SerializableConstructor<T>,
  aliases: readonly string[] = [],
): void {
  serialization.registerClass(made);
  const { classNameMap } = serialization.SerializationMap.getMap();
  const known = classNameMap[made.className];
  for (const alias of aliases) {
    const camel = alias.replace(/_+(\w)/g, (_, letter: string) => letter.toUpperCase());
    for (const name of [alias, camel]) if (known !== undefined) classNameMap[name] = known;
  }
}

for (const { made, aliases } of QUANTIZERS) register(made, aliases);
register(WeightClip, ['weight_clip']);
register(Bop);
registerLayers();
registerProducts();
registerPseudoGradient();
registerOperatorKernels();
provideAll();
