/**
 * TensorFlow Lite files, with Larq Compute Engine's operators (github.com/larq/compute-engine). An entry of its own,
 * `webgpu-bnn/tflite`, because it needs a package.
 */
export { importTflite, type TfliteEnd, type TfliteNetwork } from './read.ts';
export { exportTflite, type TfliteExportOptions } from './write.ts';
