/** An ONNX file of which ONNX Runtime Web runs the floats, and the library the binary layers between them. */

import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import * as ort from 'onnxruntime-web/webgpu';
import {
  batchNormalization,
  conv2d,
  dense,
  flatten,
  initialValues,
  loadModel,
  maxPool2d,
  quantConv2d,
  relu,
  sequential,
} from 'webgpu-bnn';
import { exportOnnx, splitOnnx } from 'webgpu-bnn/onnx';
import { BinarySession, gpuOf } from 'webgpu-bnn/onnxruntime';
import { log, run } from './page.ts';

/** A file as an exporter writes it: float convolution, two binary ones, float scores. Nothing in it says "binary". */
function networkFile(): Uint8Array {
  const binary = { kernelSize: 3, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  const model = sequential(
    [
      conv2d({ filters: 32, kernelSize: 3, padding: 'same' }),
      relu(),
      batchNormalization(),
      quantConv2d({ filters: 64, ...binary }),
      maxPool2d({ poolSize: 2 }),
      batchNormalization(),
      quantConv2d({ filters: 64, ...binary }),
      batchNormalization(),
      flatten(),
      dense({ units: 10 }),
    ],
    { input: [16, 16, 3] },
  );
  return exportOnnx(model, initialValues(model, 1), { operators: 'standard' });
}

run(async () => {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm };
  ort.env.logLevel = 'error';
  const file = networkFile();
  const { head, binary, tail, input, output, nodes } = splitOnnx(file);
  if (head === undefined || tail === undefined)
    throw new Error('the file has no floats around its binary layers');
  log(`nodes: ${nodes.head.length} before, ${nodes.binary.length} binary, ${nodes.tail.length} after`);

  const onGpu = { executionProviders: ['webgpu'], preferredOutputLocation: 'gpu-buffer' } as const;
  const first = await ort.InferenceSession.create(head, onGpu);
  const last = await ort.InferenceSession.create(tail, { executionProviders: ['webgpu'] });
  const middle = await BinarySession.create(ort, await loadModel(binary), { input, output });

  // What is mapped is what is read back: nothing, until the scores are asked for.
  const { device } = await gpuOf(ort);
  let mapped = 0;
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer.call(device, descriptor);
    const { mapAsync } = buffer;
    buffer.mapAsync = (...range) => {
      mapped += 1;
      return mapAsync.apply(buffer, range);
    };
    return buffer;
  };

  const image = Float32Array.from({ length: 3 * 16 * 16 }, (_, i) => ((i * 37) % 101) / 50 - 1);
  const x = new ort.Tensor('float32', image, [1, 3, 16, 16]);
  const passed = await middle.run(await first.run({ input: x }));
  log(`between the sessions: ${passed[output.name]?.location}, read back ${mapped} times`);
  const scores = Float32Array.from((await last.run(passed)).output?.data as Float32Array);
  passed[output.name]?.dispose();
  log(`with the scores: read back ${mapped} times`);

  const whole = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
  const expected = (await whole.run({ input: x })).output?.data as Float32Array;
  const largest = Math.max(...scores.map((score, i) => Math.abs(score - (expected[i] ?? Number.NaN))));
  log(`scores: ${[...scores].map((score) => score.toFixed(3)).join(' ')}`);
  log(`largest difference from the whole file on the processor: ${largest.toExponential(1)}`);
  if (!(largest < 1e-3)) throw new Error('the scores differ');
});
