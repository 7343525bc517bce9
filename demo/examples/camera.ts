/** Names the digit before the camera, frame by frame. */
import { Gpu, loadModel } from 'webgpu-bnn/inference';
import { log, run } from './page.ts';

/** TFC with one bit a weight and an activation, of the QONNX model zoo; its licence lies beside it. */
const MODEL = new URL('../../test/fixtures/qonnx-tfc/TFC_1W1A.onnx', import.meta.url);
const SIDE = 28;

/** The middle of a frame as MNIST would have it: bright ink on a dark ground, stretched between the darkest and the brightest. */
function digitOf(video: HTMLVideoElement, context: CanvasRenderingContext2D): Uint8Array {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const [left, top] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
  context.drawImage(video, left, top, side, side, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const dark = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => 255 - (data[4 * i + 1] ?? 0));
  const [least, most] = [Math.min(...dark), Math.max(...dark)];
  // Paper is never quite white: the lower half counts as ground.
  return dark.map((value) => Math.max(0, (510 * (value - least)) / Math.max(1, most - least) - 255));
}

run(async () => {
  const [video, output] = [document.querySelector('video'), document.getElementById('digit')];
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (video === null || output === null || context === null) throw new Error('the page is incomplete');

  const loaded = await loadModel(MODEL.href);
  const classifier = await loaded.createClassifier(await Gpu.request(), { pixels: '0:1' });
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 224, height: 224 } });
  await video.play();

  let frames = 0;
  const look = async (): Promise<void> => {
    const { results } = await classifier.classify(digitOf(video, context), { top: 1 });
    const best = results[0]?.[0];
    output.textContent = best?.name ?? '';
    frames += 1;
    if (frames === 1) log(`first frame: it looks like ${best?.name}`);
    video.requestVideoFrameCallback(() => {
      look().catch((error: unknown) => log(String(error)));
    });
  };
  await look();
});
