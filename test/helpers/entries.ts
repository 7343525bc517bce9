/** The public entries by the names that users import, as sources: what examples and a guest's package are run with. */
import { join } from 'node:path';

const SOURCES = join(import.meta.dirname, '..', '..', 'src');

export const ENTRIES: Readonly<Record<string, string>> = {
  'webgpu-bnn': join(SOURCES, 'index.ts'),
  'webgpu-bnn/compare': join(SOURCES, 'compare.ts'),
  'webgpu-bnn/hypervectors': join(SOURCES, 'hypervectors', 'index.ts'),
  'webgpu-bnn/inference': join(SOURCES, 'inference.ts'),
  'webgpu-bnn/methods': join(SOURCES, 'methods.ts'),
  'webgpu-bnn/nats': join(SOURCES, 'nats', 'open.ts'),
  'webgpu-bnn/node': join(SOURCES, 'node', 'index.ts'),
  'webgpu-bnn/onnx': join(SOURCES, 'formats', 'onnx.ts'),
  'webgpu-bnn/onnxruntime': join(SOURCES, 'interop', 'onnxruntime', 'index.ts'),
  'webgpu-bnn/tfjs': join(SOURCES, 'interop', 'tfjs', 'index.ts'),
  'webgpu-bnn/tflite': join(SOURCES, 'formats', 'tflite', 'index.ts'),
  'webgpu-bnn/training': join(SOURCES, 'training.ts'),
  'webgpu-bnn/vectors': join(SOURCES, 'vectors.ts'),
};

/** For `resolve.alias` of Vite. */
export const ENTRY_ALIASES = Object.entries(ENTRIES).map(([name, replacement]) => ({
  find: new RegExp(`^${name}$`),
  replacement,
}));
