/** A worker of the engine. What it runs is text, so that no bundler can lose it and no path can be wrong. */

/** What a worker is told. */
export interface Task {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly records: number;
  readonly recordBytes: number;
  readonly tileField: number;
  readonly scratch: number;
}

export interface WorkerThread {
  terminate(): unknown;
}

/**
 * Claims tiles of the step at hand until there are none, looks for the next step for some microseconds, then sleeps. A claim
 * counts only if the ticket is what it was.
 */
const SERVE = `
async function serve({ module, memory, records, recordBytes, tileField, scratch }) {
  const { exports: { work } } = await WebAssembly.instantiate(module, { env: { memory } });
  const control = new Int32Array(memory.buffer, 0, 16);
  const [TICKET, SERIAL, DONE, SLEEPING, STOP] = [0, 1, 2, 3, 4];
  for (;;) {
    const serial = Atomics.load(control, SERIAL);
    for (;;) {
      const ticket = Atomics.load(control, TICKET);
      const step = ticket >>> 20;
      if (step === 4095) break;
      const record = records + step * recordBytes;
      const fields = new Int32Array(memory.buffer, record, tileField + 1);
      const claimed = ticket & 0xfffff;
      if (claimed * fields[tileField] >= fields[1]) break;
      if (Atomics.compareExchange(control, TICKET, ticket, ticket + 1) !== ticket) continue;
      // The step may have begun anew in between, with other units: the claim is one of those.
      const first = claimed * fields[tileField];
      const end = Math.min(fields[1], first + fields[tileField]);
      if (first >= end) break;
      work(record, first, end, scratch);
      Atomics.add(control, DONE, 1);
    }
    for (let look = 0; look < 4000 && Atomics.load(control, SERIAL) === serial; look++);
    Atomics.add(control, SLEEPING, 1);
    Atomics.wait(control, SERIAL, serial);
    Atomics.sub(control, SLEEPING, 1);
    if (Atomics.load(control, STOP) === 1) return;
  }
}`;

const IN_NODE = `${SERVE}
require('node:worker_threads').parentPort.once('message', serve);`;
const IN_BROWSER = `${SERVE}
onmessage = ({ data }) => serve(data);`;

/** What of Node is used; it is asked for by name where it runs, so that no page's bundler looks for it. */
interface NodeWorkers {
  readonly Worker: new (
    text: string,
    options: { readonly eval: true },
  ) => {
    on(event: 'error', listener: (cause: unknown) => void): void;
    postMessage(task: Task): void;
    terminate(): unknown;
    unref(): void;
  };
}

/**
 * Starts a worker. It ends with the process, and doesn't hold it up.
 * @param onError what to do when it can't start, or fails
 * @throws whatever the browser says against workers
 */
export function startWorker(task: Task, onError: (cause: unknown) => void): WorkerThread {
  const node = globalThis.process?.getBuiltinModule?.('node:worker_threads') as NodeWorkers | undefined;
  if (node !== undefined) {
    const worker = new node.Worker(IN_NODE, { eval: true });
    worker.on('error', onError);
    worker.postMessage(task);
    worker.unref();
    return worker;
  }
  const address = URL.createObjectURL(new Blob([IN_BROWSER], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  worker.onerror = (event) => {
    onError(
      event.message || 'the page forbids workers from a Blob: Content-Security-Policy worker-src blob:',
    );
  };
  worker.postMessage(task);
  return {
    terminate() {
      worker.terminate();
      URL.revokeObjectURL(address);
    },
  };
}
