/** The angles between the filters of a safetensors file and their signs. */
import { decodeSafetensors, encodeSafetensors, FilterSurvey, Gpu } from 'webgpu-bnn';
import { log, run } from './page.ts';

/** A file of two layers with normal weights, made by Box and Muller's method of a small generator. */
function made(): Uint8Array<ArrayBuffer> {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = (count: number) =>
    Float32Array.from(
      { length: count },
      () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
  return encodeSafetensors({
    'conv.weight': { dtype: 'F32', shape: [64, 32, 3, 3], data: normal(64 * 32 * 9) },
    'dense.weight': { dtype: 'F32', shape: [100, 1024], data: normal(100 * 1024) },
  });
}

run(async () => {
  const address = new URLSearchParams(location.search).get('file') ?? URL.createObjectURL(new Blob([made()]));
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  log(`${bytes.length} bytes`);

  using gpu = await Gpu.request();
  using survey = new FilterSurvey(gpu, { memory: 64 * 2 ** 20 });
  for (const [name, { dtype, shape, data }] of decodeSafetensors(bytes, address).tensors) {
    // Filters are rows of two axes or more; others are biases and the like.
    if (dtype !== 'F32' || shape.length < 2) continue;
    const weights = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const read = async (offset: number, into: Uint8Array) =>
      into.set(weights.subarray(offset, offset + into.length));
    const { filters, meanAngle, expectedAngle } = await survey.measure({ name, shape, format: 'f32', read });
    log(`${name}: ${filters} filters, ${meanAngle.toFixed(2)} degrees, expected ${expectedAngle.toFixed(2)}`);
  }
});
