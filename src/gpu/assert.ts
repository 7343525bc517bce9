/** Whether what was handed in for a GPU is one. */
import { OptionError } from '../errors.ts';
import { assertPresent } from '../options.ts';
import type { Gpu } from './context.ts';

/** @throws OptionError for the promise of a `Gpu`, for a device, and for anything else that is none */
export function assertGpu(gpu: Gpu, where: string): void {
  assertPresent(gpu, 'the GPU', where);
  if (typeof gpu.scoped === 'function' && typeof gpu.device === 'object') return;
  const device = 'createBuffer' in gpu;
  throw new OptionError("This is no GPU of this library's.", {
    given: device ? 'a GPUDevice' : Object.prototype.toString.call(gpu).slice(8, -1),
    expected: 'what Gpu.request, Gpu.fromDevice or requestGpu gives',
    where,
    remedy: device ? 'hand in Gpu.fromDevice(device)' : 'await Gpu.request()',
  });
}
