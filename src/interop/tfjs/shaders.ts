/**
 * The shaders that run on TensorFlow.js' backend. Its kernels can't wait, so these come along with this entry instead of
 * being loaded when they are compiled.
 */
import shaders from '../../../shaders/tfjs.ts';
import { provideShaders } from '../../gpu/kernel.ts';

/** Has them ready. */
export function provideAll(): void {
  provideShaders(shaders);
}
