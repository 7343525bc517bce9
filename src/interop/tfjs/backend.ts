/**
 * TensorFlow.js' WebGPU backend, as far as a kernel that isn't its own needs it: its device, the buffers behind its
 * tensors, and the pass that it is recording. What is recorded here runs in order with its own kernels, since it goes
 * into the same pass; scratch memory comes from its buffer manager, so `tf.memory()` sees it, and it is given back the
 * way the backend's own kernels do it.
 */
import {
  backend as currentBackend,
  type DataType,
  engine,
  env,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { DisposedError, OptionError } from '../../errors.ts';
import { Gpu, type Routine } from '../../gpu/index.ts';

/** Parts of the backend that it keeps to itself, as of version 4.22. */
export interface WebGpuBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): { resource: GPUBuffer | null } };
  readonly commandQueueOwnedIds: WeakSet<object>;
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  makeTensorInfo(shape: number[], dtype: DataType): TensorInfo;
  uploadToGPU(dataId: object): void;
  disposeData(dataId: object): boolean;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** What is kept for a backend as long as it lives. */
interface Session {
  readonly gpu: Gpu;
  readonly routines: Map<string, Routine>;
}
const sessions = new WeakMap<WebGpuBackend, Session>();

/** The name under which TensorFlow.js registers the kernels of its WebGPU backend. */
export const WEBGPU = 'webgpu';

/**
 * The flag of TensorFlow.js that says whether products run in this library's kernels, on its WebGPU backend and on the processor.
 * With `tf.env().set('WEBGPU_BNN_KERNELS', false)` they are its own operations there too: to compare the two.
 */
export const KERNELS_FLAG = 'WEBGPU_BNN_KERNELS';

/** TensorFlow.js' current backend where that is WebGPU; undefined on every other one. @throws OptionError */
export function webgpuBackend(): WebGpuBackend | undefined {
  const backend: object = currentBackend();
  if (engine().backendName !== WEBGPU) return undefined;
  if (isWebGpuBackend(backend)) return backend;
  throw new OptionError("TensorFlow.js' WebGPU backend isn't the one that this library knows.", {
    expected: '@tensorflow/tfjs-backend-webgpu ^4.22.0',
    where: 'webgpu-bnn/tfjs',
    remedy: "install that version, or choose another backend: tf.setBackend('webgl') gives the same numbers",
  });
}

function isWebGpuBackend(backend: object): backend is WebGpuBackend {
  // One that was used before was looked at before.
  if (sessions.has(backend as WebGpuBackend)) return true;
  const verbs = [
    'uploadToGPU',
    'ensureCommandEncoderReady',
    'endComputePassEncoder',
    'submitQueue',
    'disposeData',
  ];
  const things = ['device', 'tensorMap', 'commandQueueOwnedIds', 'commandEncoder', 'computePassEncoder'];
  const parts = backend as Record<string, unknown>;
  return verbs.every((name) => typeof parts[name] === 'function') && things.every((name) => name in parts);
}

/** TensorFlow.js' device as this library sees it is made on first use, and never destroyed here. */
function sessionOf(backend: WebGpuBackend): Session {
  let session = sessions.get(backend);
  if (session === undefined) {
    session = { gpu: Gpu.fromDevice(backend.device), routines: new Map() };
    sessions.set(backend, session);
  }
  return session;
}

/** The routine for `key`, recorded on first use: one for every operation, its options and its shapes. */
export function routineFor<Name extends string>(
  backend: WebGpuBackend,
  key: string,
  record: (gpu: Gpu) => Routine<Name>,
): Routine<Name> {
  const { gpu, routines } = sessionOf(backend);
  let routine = routines.get(key);
  if (routine === undefined) {
    routine = record(gpu);
    routines.set(key, routine);
  }
  return routine as Routine<Name>;
}

/**
 * Records a routine into the pass that the backend is recording.
 * @param operands the backend's tensors, by the routine's names; those that are written get their memory here
 */
export function runRoutine<Name extends string>(
  backend: WebGpuBackend,
  routine: Routine<Name>,
  operands: Readonly<Record<Name, TensorInfo>>,
): void {
  const scratch = routine.scratch.map((bytes) => backend.makeTensorInfo([bytes / 4], 'int32'));
  const infos = Object.values<TensorInfo>(operands);
  for (const { dataId } of [...infos, ...scratch]) {
    backend.uploadToGPU(dataId);
    // Until the next submit the backend must not hand the buffer to anybody else.
    backend.commandQueueOwnedIds.add(dataId);
  }
  const bufferOf = ({ dataId }: TensorInfo): GPUBuffer => {
    const { resource } = backend.tensorMap.get(dataId);
    if (resource !== null && 'usage' in resource && 'mapState' in resource) return resource;
    throw new OptionError('A tensor of TensorFlow.js lies in no buffer.', { where: routine.label });
  };
  const buffers = Object.fromEntries(
    Object.entries<TensorInfo>(operands).map(([name, info]) => [name, bufferOf(info)]),
  ) as Record<Name, GPUBuffer>;
  backend.ensureCommandEncoderReady();
  backend.computePassEncoder ??= (backend.commandEncoder as GPUCommandEncoder).beginComputePass();
  routine.encodeInto(backend.computePassEncoder, buffers, scratch.map(bufferOf));
  backend.dispatchCountInPass += routine.dispatches;
  for (const { dataId } of scratch) backend.disposeData(dataId);
  if (backend.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}

/** @throws DisposedError for a tensor that was disposed */
export function assertLive(tensor: Tensor, where: string): void {
  if (tensor.isDisposed) {
    throw new DisposedError('This TensorFlow.js tensor was disposed.', {
      given: `a tensor of shape [${tensor.shape.join(', ')}]`,
      where,
    });
  }
}
