/**
 * What costs little is made anew on the way back, right before it is first read there, instead of being kept until then: products
 * of signs, and the largest of windows of those.
 */
import { type Dispatch, operandsOf, type Recording } from '../../gpu/index.ts';
import { maxPool } from '../../kernels/pool.ts';

export function makeAnew(recording: Recording): void {
  // The last ones first: what is made anew of an earlier result reads that.
  for (const dispatch of recording.dispatches.toReversed()) {
    if (dispatch.isBackward || !isCheap(recording, dispatch)) continue;
    const written = Object.values(dispatch.kernel.bindings).indexOf('write');
    const out = dispatch.tensors[written];
    if (out === undefined || recording.onlyWriter(out) !== dispatch || recording.isKept(out)) continue;
    const later = recording.readers(out).filter(({ isBackward }) => isBackward);
    const [first] = later;
    if (first === undefined || !isUntouched(recording, dispatch, first)) continue;
    const anew = recording.another(out);
    const operands = dispatch.tensors.map((tensor) => (tensor === out ? anew : tensor));
    const { kernel, constants } = dispatch;
    const names = Object.keys(kernel.bindings);
    const bindings = Object.fromEntries(operands.map((tensor, i) => [names[i] ?? '', tensor]));
    recording.insertBefore(first, recording.make(first, kernel, bindings, constants));
    for (const reader of later) recording.redirect(reader, out, anew);
  }
}

function isCheap(recording: Recording, dispatch: Dispatch): boolean {
  if (dispatch.kernel.repeats === true) return true;
  const { x } = operandsOf(dispatch);
  if (!Object.is(dispatch.kernel, maxPool) || x === undefined) return false;
  return recording.onlyWriter(x)?.kernel.repeats === true;
}

/** Whether the operands of a dispatch hold, when another one runs, what they held when it did. */
function isUntouched({ dispatches }: Recording, dispatch: Dispatch, later: Dispatch): boolean {
  const bases = new Set(dispatch.tensors.map(({ base }) => base));
  return dispatches
    .slice(dispatches.indexOf(dispatch) + 1, dispatches.indexOf(later))
    .every(({ kernel, tensors }) => {
      const access = Object.values(kernel.bindings);
      return tensors.every(({ base }, i) => access[i] !== 'write' || !bases.has(base));
    });
}
