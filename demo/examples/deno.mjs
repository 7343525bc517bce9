/** Trains in Deno, on its own WebGPU. In a project with webgpu-bnn: `deno run -A deno.mjs`. */
import { Gpu, measureGeometry, mlp, Trainer } from 'webgpu-bnn';

/** Noise with one bright half, which is the class: 8x8 grey pixels. */
function halves(count, seed) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const labels = Uint8Array.from({ length: count }, () => (random() < 0.5 ? 0 : 1));
  const images = Uint8Array.from({ length: 64 * count }, (_, i) => {
    const isLower = (i & 63) >= 32 ? 1 : 0;
    return 160 * random() + (isLower === labels[i >> 6] ? 95 : 0);
  });
  return { images, labels, count };
}

const data = {
  ...{ name: 'halves', classes: ['upper', 'lower'], image: [8, 8, 1] },
  ...{ train: halves(1000, 1), test: halves(200, 2), normalise: { scale: [1 / 127.5], shift: [-1] } },
};
const gpu = await Gpu.request();
console.log('adapter:', gpu.adapter.name);
const trainer = await Trainer.create(gpu, mlp({ input: data.image, classes: 2, units: 64 }), data, {
  epochs: 3,
  batch: 50,
});
await trainer.fit();
console.log('held out:', (await trainer.evaluate()).accuracy);
for (const { name, meanAngle } of await measureGeometry(trainer.network)) console.log(name, meanAngle);
Deno.exit();
