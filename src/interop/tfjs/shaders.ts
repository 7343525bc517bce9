/**
 * The shaders that run on TensorFlow.js' backend. Its kernels can't wait, so these come along with this entry instead of
 * being loaded when they are compiled.
 */
import conv from '../../../shaders/conv.ts';
import convDepthwise from '../../../shaders/conv-depthwise.ts';
import convFused from '../../../shaders/conv-fused.ts';
import convGradientQuads from '../../../shaders/conv-gradient-quads.ts';
import convGradients from '../../../shaders/conv-gradients.ts';
import convLayout from '../../../shaders/conv-layout.ts';
import convQuads from '../../../shaders/conv-quads.ts';
import convReal from '../../../shaders/conv-real.ts';
import convVariants from '../../../shaders/conv-variants.ts';
import gemm from '../../../shaders/gemm.ts';
import gemmGradients from '../../../shaders/gemm-gradients.ts';
import gemmQuads from '../../../shaders/gemm-quads.ts';
import gemmReal from '../../../shaders/gemm-real.ts';
import gemmVariants from '../../../shaders/gemm-variants.ts';
import pack from '../../../shaders/pack.ts';
import pool from '../../../shaders/pool.ts';
import quantize from '../../../shaders/quantize.ts';
import { provideShaders } from '../../gpu/kernel.ts';

/** Has them ready. */
export function provideAll(): void {
  const convolutions = [
    conv,
    convDepthwise,
    convFused,
    convGradientQuads,
    convGradients,
    convLayout,
    convQuads,
    convReal,
    convVariants,
  ];
  const products = [gemm, gemmGradients, gemmQuads, gemmReal, gemmVariants];
  for (const shaders of [...convolutions, ...products, pack, pool, quantize]) provideShaders(shaders);
}
