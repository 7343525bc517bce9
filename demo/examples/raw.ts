/** A page with WebGPU of its own takes binary products from the library, on its device, its buffers and its encoder. */
import { Gpu, ops, Routine, Tensor } from 'webgpu-bnn';
import { log, run } from './page.ts';

const [ROWS, UNITS, INPUTS] = [16, 32, 100];
/** Where the activations and the weights lie in the page's one buffer of inputs, in bytes. */
const X_OFFSET = 256;
const W_OFFSET = 8192;

/** The page's own shader: activations that no library knows of. */
const WAVES = `
@group(0) @binding(0) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${ROWS * INPUTS}u) {
    // Halves, so that the page's JavaScript knows every sign for certain.
    x[id.x] = f32((id.x * 37u) % 101u) - 50.5;
  }
}`;
const wave = (i: number) => ((i * 37) % 101) - 50.5;
const weight = (i: number) => ((i * 53) % 97) - 48.5;

run(async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('this browser has no WebGPU');
  const device = await adapter.requestDevice();
  const { COPY_DST, COPY_SRC, MAP_READ, STORAGE } = GPUBufferUsage;
  const inputs = device.createBuffer({ size: 32768, usage: STORAGE | COPY_DST });
  const product = device.createBuffer({ size: 4 * ROWS * UNITS, usage: STORAGE | COPY_SRC });
  const staging = device.createBuffer({ size: 4 * ROWS * UNITS, usage: MAP_READ | COPY_DST });
  device.queue.writeBuffer(
    inputs,
    W_OFFSET,
    Float32Array.from({ length: UNITS * INPUTS }, (_, i) => weight(i)),
  );

  const waves = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: WAVES }), entryPoint: 'main' },
  });
  const wavesGroup = device.createBindGroup({
    layout: waves.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: inputs, offset: X_OFFSET, size: 4 * ROWS * INPUTS } }],
  });

  // What the library does is recorded once for its shapes, and bound to ranges of the page's buffers.
  using gpu = Gpu.fromDevice(device);
  const routine = new Routine(gpu, 'pack and multiply', (b) => {
    const x = new Tensor('x', [ROWS, INPUTS], 'f32');
    const w = new Tensor('w', [UNITS, INPUTS], 'f32');
    return { x, w, y: ops.binaryMatMul(b, ops.packSigns(b, x), ops.packSigns(b, w)) };
  });
  using bound = await routine.bind({
    x: { buffer: inputs, offset: X_OFFSET },
    w: { buffer: inputs, offset: W_OFFSET },
    y: product,
  });

  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(waves);
  pass.setBindGroup(0, wavesGroup);
  pass.dispatchWorkgroups(Math.ceil((ROWS * INPUTS) / 64));
  bound.encodeInto(pass);
  pass.end();
  encoder.copyBufferToBuffer(product, 0, staging, 0, 4 * ROWS * UNITS);
  device.queue.submit([encoder.finish()]);
  log(`one submit of the page, ${routine.dispatches} dispatches of the library in it`);

  await staging.mapAsync(GPUMapMode.READ);
  const found = new Float32Array(staging.getMappedRange());
  let wrong = 0;
  for (let row = 0; row < ROWS; row++) {
    for (let unit = 0; unit < UNITS; unit++) {
      let sum = 0;
      for (let k = 0; k < INPUTS; k++) {
        sum += Math.sign(wave(row * INPUTS + k)) * Math.sign(weight(unit * INPUTS + k));
      }
      if (found[row * UNITS + unit] !== sum) wrong += 1;
    }
  }
  log(`${found.length - wrong} of ${found.length} products equal those of plain JavaScript`);
  log(`submits of the library: ${gpu.counters.submits}, readbacks: ${gpu.counters.readbacks}`);
  if (wrong > 0) throw new Error(`${wrong} products are wrong`);
});
