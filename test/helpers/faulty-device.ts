/**
 * A real device whose calls can be made to fail: the n-th of one kind, once. What is refused is refused by the device
 * itself where that can be had (an invalid command buffer is submitted, a buffer without a use is made); the rest throws,
 * rejects or gives null as broken drivers and browsers do. The device's own methods are replaced, since what it makes
 * must stay what its other methods take.
 *
 *   const faults = withFaults(gpu.device);
 *   faults.fail('submit refused', 3);
 *   await trainer.fit().catch(...);
 *   faults.fired; // whether there was a third submit
 */

/** What can be made to fail, and how. */
export const FAULT_KINDS = [
  'submit refused',
  'submit throws',
  'mapAsync rejects',
  'mapAsync throws',
  'getMappedRange throws',
  'onSubmittedWorkDone rejects',
  'writeBuffer refused',
  'writeBuffer throws',
  'createBuffer refused',
  'createBuffer out of memory',
  'createBuffer throws',
  'createBuffer null',
  'createShaderModule refused',
  'createShaderModule throws',
  'createShaderModule null',
  'createBindGroup refused',
  'createBindGroup throws',
  'createBindGroup null',
  'createBindGroupLayout throws',
  'createBindGroupLayout null',
  'createPipelineLayout throws',
  'createPipelineLayout null',
  'createComputePipelineAsync rejects',
  'createComputePipelineAsync throws',
  'createCommandEncoder throws',
  'createCommandEncoder null',
  'finish throws',
  'beginComputePass throws',
  'copyBufferToBuffer throws',
  'pushErrorScope throws',
  'popErrorScope rejects',
  'popErrorScope throws',
  'device lost at submit',
  'device lost at mapAsync',
  'device lost at createBuffer',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** The method whose calls are counted for a kind: `submit` of `submit refused`. */
export function methodOf(kind: FaultKind): string {
  return kind.startsWith('device lost at ')
    ? kind.slice('device lost at '.length)
    : (kind.split(' ')[0] ?? '');
}

export interface Faults {
  /** Lets the `at`-th call from now on, from 1, of a kind fail; one fault is armed at a time. */
  fail(kind: FaultKind, at: number): void;
  /** No call fails any more. */
  disarm(): void;
  /** Whether the armed call came, and failed. */
  readonly fired: boolean;
  /** Calls by method since the start. */
  readonly calls: ReadonlyMap<string, number>;
  /** Reports what the device has done only at multiples of so many milliseconds, as browsers with a timer do; 0: at once. */
  reportEvery(milliseconds: number): void;
  /** Reports what the device has done so many milliseconds after it did. */
  reportLate(milliseconds: number): void;
}

type Callable = (...args: never[]) => unknown;

/** @param device from now on fails as it is told; nothing else should have been made from it yet */
export function withFaults(device: GPUDevice): Faults {
  const calls = new Map<string, number>();
  /** Error scopes, and what was put into them here. */
  const scopes: { filter: GPUErrorFilter; error: GPUError | undefined }[] = [];
  const listeners = new Set<(event: GPUUncapturedErrorEvent) => void>();
  let armed: { kind: FaultKind; left: number } | undefined;
  let fired = false;
  let period = 0;
  let delay = 0;

  /** Counts a call. @returns how it is to fail, if it is */
  const due = (method: string): string | undefined => {
    calls.set(method, (calls.get(method) ?? 0) + 1);
    if (armed === undefined || methodOf(armed.kind) !== method) return undefined;
    armed.left -= 1;
    if (armed.left > 0) return undefined;
    const { kind } = armed;
    armed = undefined;
    fired = true;
    if (!kind.startsWith('device lost')) return kind.slice(method.length + 1);
    device.destroy();
    return undefined;
  };
  const broken = (method: string) => new Error(`${method} failed (a fault of the test)`);
  /** Replaces a method of one object: `refuse` says what comes in place of the call where it is refused. */
  const patch = <T extends object, K extends keyof T & string>(
    owner: T,
    method: K,
    refuse?: (original: T[K], ...args: Parameters<Extract<T[K], Callable>>) => unknown,
    then?: (result: never) => unknown,
  ) => {
    const original = (owner[method] as Callable).bind(owner) as unknown as T[K];
    const replacement = (...args: Parameters<Extract<T[K], Callable>>) => {
      const how = due(method);
      if (how === 'throws') throw broken(method);
      if (how === 'rejects') return Promise.reject(broken(method));
      if (how === 'null') return null;
      if (how === 'out of memory') {
        inject(new GPUOutOfMemoryError('out of memory (a fault of the test)'));
        return hush(() => refuse?.(original, ...args));
      }
      if (how === 'refused') return refuse?.(original, ...args);
      const result = (original as Callable)(...(args as never[]));
      return then === undefined ? result : then(result as never);
    };
    Object.defineProperty(owner, method, { value: replacement, configurable: true, writable: true });
  };
  /** Puts an error where the device would: into the innermost scope that takes it, or to the listeners. */
  const inject = (error: GPUOutOfMemoryError) => {
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (scope !== undefined) scope.error ??= error;
    else for (const listener of listeners) listener({ error } as unknown as GPUUncapturedErrorEvent);
  };
  const hush = <T>(body: () => T): T => {
    push('validation');
    const result = body();
    pop().catch(() => null);
    return result;
  };
  const reported = <T>(work: Promise<T>): Promise<T> => {
    if (period === 0 && delay === 0) return work;
    const untilTick = () => (period === 0 ? 0 : period - (performance.now() % period));
    const late = () => new Promise((resolve) => setTimeout(resolve, delay + untilTick()));
    return work.finally(late);
  };

  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const encoderOf = device.createCommandEncoder.bind(device);
  const { queue } = device;
  const submit = queue.submit.bind(queue);

  patch(device, 'pushErrorScope');
  const counted = device.pushErrorScope;
  device.pushErrorScope = (filter) => {
    counted(filter);
    scopes.push({ filter, error: undefined });
    return undefined;
  };
  device.popErrorScope = () => {
    const how = due('popErrorScope');
    const injected = scopes.pop()?.error;
    // The scope is gone whatever comes of it, or all later ones would be mixed up.
    const verdict = pop();
    if (how === undefined) return verdict.then((error) => injected ?? error);
    verdict.catch(() => null);
    if (how === 'throws') throw broken('popErrorScope');
    return Promise.reject(broken('popErrorScope'));
  };
  const { addEventListener, removeEventListener } = device;
  device.addEventListener = ((name: string, listener: never) => {
    if (name === 'uncapturederror') listeners.add(listener);
    addEventListener.call(device, name, listener);
  }) as typeof device.addEventListener;
  device.removeEventListener = ((name: string, listener: never) => {
    listeners.delete(listener);
    removeEventListener.call(device, name, listener);
  }) as typeof device.removeEventListener;

  const watchBuffer = (buffer: GPUBuffer) => {
    patch(buffer, 'mapAsync', undefined, reported);
    patch(buffer, 'getMappedRange');
    return buffer;
  };
  // A buffer without a use is none.
  patch(
    device,
    'createBuffer',
    (make, descriptor) => watchBuffer(make({ ...descriptor, usage: 0 })),
    watchBuffer,
  );
  patch(device, 'createShaderModule', (make, descriptor) => make({ ...descriptor, code: 'fn main( {' }));
  patch(device, 'createBindGroup', (make, descriptor) => make({ ...descriptor, entries: [] }));
  patch(device, 'createBindGroupLayout');
  patch(device, 'createPipelineLayout');
  patch(device, 'createComputePipelineAsync');
  patch(device, 'createCommandEncoder', undefined, (encoder: GPUCommandEncoder) => {
    patch(encoder, 'finish');
    patch(encoder, 'beginComputePass');
    patch(encoder, 'copyBufferToBuffer');
    return encoder;
  });
  patch(queue, 'submit', () => {
    const invalid = hush(() => {
      const encoder = encoderOf();
      encoder.popDebugGroup();
      return encoder.finish();
    });
    submit([invalid]);
  });
  patch(queue, 'writeBuffer', (write, buffer, ...rest) => {
    const [, data] = rest;
    write(buffer, 1, data as GPUAllowSharedBufferSource, 0, 4);
  });
  patch(queue, 'onSubmittedWorkDone', undefined, reported);

  return {
    fail(kind, at) {
      armed = { kind, left: at };
      fired = false;
    },
    disarm() {
      armed = undefined;
    },
    get fired() {
      return fired;
    },
    calls,
    reportEvery(milliseconds) {
      period = milliseconds;
    },
    reportLate(milliseconds) {
      delay = milliseconds;
    },
  };
}
