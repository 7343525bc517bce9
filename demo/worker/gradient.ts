/** A gradient function as a visitor types it: compiled, and evaluated on the GPU over the range that plots show. */
import { defineQuantizer, type Gpu, type Quantizer } from '../../src/index.ts';
import type { Point, TriedGradient } from './protocol.ts';

const FROM = -2;
const TO = 2;
const COUNT = 401;
const PLACE = (TO - FROM) / (COUNT - 1);

/** What follows the visitor's text, so that its lines keep their numbers. */
const FRAME = `
@group(0) @binding(0) var<storage, read_write> studio_values: array<f32>;
@compute @workgroup_size(64)
fn studio_main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${COUNT}u) { studio_values[id.x] = gradient(${FROM}.0 + f32(id.x) * ${PLACE}); }
}
`;

/** Compiles it and evaluates it at points from −2 to 2; what is wrong with it is told by line. */
export async function tryGradient(gpu: Gpu, wgsl: string): Promise<TriedGradient> {
  const { device } = gpu;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: wgsl + FRAME });
  const { messages } = await module.getCompilationInfo();
  const lines = wgsl.split('\n').length;
  const errors = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => ({
      line: Math.min(lines, Math.max(1, lineNum)),
      message: lineNum > lines ? `${message}: a function fn gradient(x: f32) -> f32 is expected` : message,
    }));
  const scope = await device.popErrorScope();
  if (errors.length > 0) return { errors };
  if (scope !== null) return { errors: [{ line: 1, message: scope.message }] };
  const size = 4 * COUNT;
  const values = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: values } }],
      }),
    );
    pass.dispatchWorkgroups(Math.ceil(COUNT / 64));
    pass.end();
    encoder.copyBufferToBuffer(values, 0, read, 0, size);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const points = Array.from(
      new Float32Array(read.getMappedRange()),
      (value, index): Point => [FROM + index * PLACE, value],
    );
    const bad = points.find(([, value]) => !Number.isFinite(value));
    return bad === undefined
      ? { points }
      : { errors: [{ line: 1, message: `at x = ${bad[0].toFixed(2)} it is not a finite number` }] };
  } catch (cause) {
    return { errors: [{ line: 1, message: cause instanceof Error ? cause.message : String(cause) }] };
  } finally {
    values.destroy();
    read.destroy();
  }
}

/** The visitor's function as a quantizer. Its twin is read off the points that the GPU computed. */
export function quantizerOf(wgsl: string, points: readonly Point[]): Quantizer {
  return defineQuantizer({
    name: 'mine',
    formula: 'the function in the text box',
    source: 'this page',
    wgsl,
    gradient: (x) => {
      const place = Math.min(COUNT - 1, Math.max(0, (x - FROM) / PLACE));
      const below = points[Math.floor(place)]?.[1] ?? 0;
      const above = points[Math.ceil(place)]?.[1] ?? 0;
      return below + (above - below) * (place - Math.floor(place));
    },
  })();
}
