/**
 * Waiting for a software adapter. While anything of Dawn is awaited, its binding asks for it in every turn of Node's event
 * loop, as fast as turns go: that takes a whole processor, which an adapter without a GPU needs for itself. So this thread
 * sleeps a moment in each of those turns: not in the first ones, so that short waits end at once, and then in proportion to
 * the time waited.
 */

const AWAKE = 0.2; // milliseconds: as long as it takes to fall asleep and wake up a few times
const SHARE = 0.05; // of the time waited so far: how much later than with polling a wait may end
const LONGEST = 1; // milliseconds, so that whatever else runs on this thread isn't held up

/** What nobody ever wakes: the only way to sleep that takes no turn of the event loop. */
const pillow = new Int32Array(new SharedArrayBuffer(4));

let waits = 0;
let since = 0;
let napping = false;

/** Settles as `work` does; until then this thread naps between the turns of its event loop. */
export async function nappingUntil<T>(work: Promise<T>): Promise<T> {
  waits += 1;
  since = performance.now();
  if (!napping) {
    napping = true;
    setImmediate(nap);
  }
  try {
    return await work;
  } finally {
    waits -= 1;
  }
}

/** One loop serves all waits, so that several don't sleep one after the other. */
function nap(): void {
  if (waits === 0) {
    napping = false;
    return;
  }
  const waited = performance.now() - since;
  if (waited > AWAKE) Atomics.wait(pillow, 0, 0, Math.min(SHARE * waited, LONGEST));
  setImmediate(nap);
}
