/** The parts of ONNX Runtime Web that are used here, so that its package needs no import, and its device. */
import { DataUnavailableError } from '../../errors.ts';
import { Gpu } from '../../gpu/index.ts';

/** A tensor of ONNX Runtime Web. */
export interface OrtTensor {
  /** Element type in ONNX Runtime's words: `float32`, say. */
  readonly type: string;
  /** The batch first. */
  readonly dims: readonly number[];
  /** Where its values are; `none` once it was disposed. */
  readonly location: string;
  /** Throws unless they are in a GPU buffer. */
  readonly gpuBuffer: unknown;
  /** Throws unless they are on the host. */
  readonly data: unknown;
  /** Frees its memory. */
  dispose(): void;
}

/** The module of ONNX Runtime Web: `import * as ort from 'onnxruntime-web/webgpu'`. Tested with version 1.30. */
export interface OrtLike<T extends OrtTensor = OrtTensor> {
  /** Its settings; `webgpu.device` is the device that it runs on, or a promise of it. */
  readonly env: { readonly webgpu?: { readonly device?: unknown } };
  /** Its class of tensors, as far as it is used here. */
  readonly Tensor: {
    /** A tensor on a buffer of its own device, copied nowhere. Calls `dispose` when it is given back. */
    // biome-ignore lint/suspicious/noExplicitAny: its own type of buffers differs with the version of its typings.
    fromGpuBuffer(buffer: any, options: { dataType: 'float32'; dims: readonly number[]; dispose(): void }): T;
  };
}

const known = new WeakMap<GPUDevice, Gpu>();

/**
 * The device of ONNX Runtime Web, as this library sees it; the same one for the same device. ONNX Runtime owns it: it is
 * never destroyed here, and ONNX Runtime destroys it with the last of its sessions.
 * @throws DataUnavailableError where ONNX Runtime has no device: before it made its first session on WebGPU, or in a build
 *   without WebGPU
 */
export async function gpuOf(ort: OrtLike): Promise<Gpu> {
  let device: unknown;
  let cause: unknown;
  try {
    device = await ort.env.webgpu?.device;
  } catch (error) {
    cause = error;
  }
  if (!isDevice(device)) {
    throw new DataUnavailableError('ONNX Runtime has no WebGPU device.', {
      where: 'gpuOf',
      remedy:
        "import 'onnxruntime-web/webgpu', and create a session with executionProviders: ['webgpu'] first, or set ort.env.webgpu.device",
      ...(cause === undefined ? {} : { cause }),
    });
  }
  const before = known.get(device);
  // One that its user disposed is of no more use, but the device is.
  if (before !== undefined && !before.disposed) return before;
  const gpu = Gpu.fromDevice(device);
  known.set(device, gpu);
  return gpu;
}

/** By what is used of it: devices of Node's Dawn have no class to ask for. */
function isDevice(value: unknown): value is GPUDevice {
  return (
    typeof value === 'object' && value !== null && 'queue' in value && 'createComputePipelineAsync' in value
  );
}
