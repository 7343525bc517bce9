/**
 * The shaders that run on TensorFlow.js' backend. Its kernels can't wait, so these come along with this entry instead of
 * being loaded when they are compiled.
 */
import { provideSources } from '../../gpu/kernel.ts';

const FOLDER = '../../../shaders/';
const shaders = import.meta.glob<string>('../../../shaders/{conv,gemm,pack,pool,quantize}/*.wgsl', {
  eager: true,
  import: 'default',
});

/** Makes them known by the names of their kernels. */
export function provideShaders(): void {
  provideSources(
    Object.fromEntries(
      Object.entries(shaders).map(([path, text]) => [path.slice(FOLDER.length, -'.wgsl'.length), text]),
    ),
  );
}
