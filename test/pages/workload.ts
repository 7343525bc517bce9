/** What the tests call in a page. */
import { Gpu } from '../../src/index.ts';
import { workload } from '../helpers/workload.ts';

declare global {
  interface Window {
    runWorkload(): Promise<Record<string, number[]>>;
    /** Acquires a device and waits for its loss. */
    awaitLoss(): Promise<{ loss: string; later: string }>;
    deviceReady: boolean;
  }
}

window.deviceReady = false;

window.runWorkload = async () => {
  using gpu = await Gpu.request();
  return await workload(gpu);
};

window.awaitLoss = async () => {
  const gpu = await Gpu.request();
  const tensor = gpu.tensor('x', [4], 'f32');
  window.deviceReady = true;
  const loss = await gpu.lost;
  const later = await gpu.readFloats(tensor).then(
    () => 'nothing',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
  return { loss: loss.code, later };
};
