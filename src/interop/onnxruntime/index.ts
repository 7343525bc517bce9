/**
 * Binary layers between two sessions of ONNX Runtime Web: on its own GPU device, with its GPU tensors in and out, and
 * nothing copied to the host. `splitOnnx` of `webgpu-bnn/onnx` makes the three parts of one file.
 *
 *   import * as ort from 'onnxruntime-web/webgpu';
 *   import { loadModel } from 'webgpu-bnn';
 *   import { splitOnnx } from 'webgpu-bnn/onnx';
 *   import { BinarySession } from 'webgpu-bnn/onnxruntime';
 *
 *   const { head, binary, tail, input, output } = splitOnnx(file);
 *   const options = { executionProviders: ['webgpu'], preferredOutputLocation: 'gpu-buffer' };
 *   const first = await ort.InferenceSession.create(head, options);
 *   const middle = await BinarySession.create(ort, await loadModel(binary), { input, output });
 *   const last = await ort.InferenceSession.create(tail, options);
 *   const scores = await last.run(await middle.run(await first.run({ input: image })));
 */
export * from '../../errors.ts';
export { BinarySession, type BinarySessionOptions, type NamedValue } from './binary-session.ts';
export { gpuOf, type OrtLike, type OrtTensor } from './runtime.ts';
