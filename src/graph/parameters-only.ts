/**
 * What depends on parameters alone (filters laid out for a kernel, thresholds by bits) is the same for every batch: a pass takes
 * it out of a network's program into another one, which runs when parameters are loaded.
 */
import type { Dispatch, ProgramBuilder, Recording, RecordingPass, Tensor } from '../gpu/index.ts';
import type { Parameter } from '../layers/index.ts';

/** Reals that take more stay in the program, where their memory serves others, too. */
const MOST_REALS = 2 ** 16;

/** Results by what makes them: kernels, numbers and parameters. */
export type Prepared = ReadonlyMap<string, Tensor>;

/**
 * @param known results that are there
 * @param preparing records those that are not
 * @param made is given them
 */
export function takeOutParametersOnly(
  parameters: Iterable<Parameter>,
  known: Prepared,
  preparing: ProgramBuilder,
  made: Map<string, Tensor>,
): RecordingPass {
  return (recording) => {
    const { keys, makers } = resultsOf(parameters, recording);
    const taken = takenOut(recording, keys, makers);
    for (const dispatch of taken) recording.exchange(dispatch);
    /** A tensor in the other program. */
    const there = (tensor: Tensor): Tensor => {
      const maker = makers.get(tensor.base);
      if (maker === undefined) return tensor;
      const key = keys.get(tensor.base) ?? '';
      const own = known.get(key) ?? made.get(key);
      if (own !== undefined) return own.reshape(tensor.shape);
      const names = Object.keys(maker.kernel.bindings);
      const access = Object.values(maker.kernel.bindings);
      const operands = maker.tensors.map((operand, i) => {
        if (access[i] === 'read') return there(operand);
        const result = preparing.within(maker.scope, () =>
          preparing.transient(operand.label.split('/').at(-1) ?? '', operand.base.shape, operand.dtype),
        );
        // What lies between is kept, too: the memory is there anyway, and another batch may need it.
        made.set(keys.get(operand.base) ?? '', preparing.keep(result));
        return result.reshape(operand.shape);
      });
      const bindings = Object.fromEntries(operands.map((operand, i) => [names[i] ?? '', operand]));
      preparing.within(maker.scope, () => preparing.dispatch(maker.kernel, bindings, maker.constants));
      return there(tensor);
    };
    for (const result of keys.keys()) {
      const readers = makers.has(result) ? recording.readers(result) : [];
      if (readers.length === 0 || !taken.has(makers.get(result) as Dispatch)) continue;
      const own = there(result);
      for (const reader of readers) recording.redirect(reader, result, own);
    }
  };
}

/** What depends on parameters alone: by what makes it, and the dispatch that does. */
function resultsOf(parameters: Iterable<Parameter>, recording: Recording) {
  const keys = new Map<Tensor, string>();
  const makers = new Map<Tensor, Dispatch>();
  for (const { name, value, packed } of parameters) {
    keys.set(value, name);
    if (packed !== undefined) keys.set(packed, `${name} packed`);
  }
  for (const dispatch of recording.dispatches) {
    const { kernel, tensors, constants } = dispatch;
    const access = Object.values(kernel.bindings);
    const reads = tensors.map(({ base }, i) => (access[i] === 'read' ? keys.get(base) : ''));
    const writes = tensors.filter((_, i) => access[i] === 'write');
    const areOwn = writes.every((out) => !recording.isKept(out) && recording.writers(out).length === 1);
    // A frame's name doesn't say what is in its holes.
    if (kernel.filled !== undefined || reads.includes(undefined) || !areOwn) continue;
    writes.forEach(({ base }, i) => {
      keys.set(base, `${kernel.name} ${JSON.stringify(constants)} (${reads.join()})[${i}]`);
      makers.set(base, dispatch);
    });
  }
  return { keys, makers };
}

/** The dispatches that leave: those whose results others read may be kept. */
function takenOut(
  recording: Recording,
  keys: ReadonlyMap<Tensor, string>,
  makers: ReadonlyMap<Tensor, Dispatch>,
): ReadonlySet<Dispatch> {
  const taken = new Set(makers.values());
  for (const dispatch of [...taken].toReversed()) {
    const results = dispatch.tensors.filter(({ base }) => makers.get(base) === dispatch && keys.has(base));
    const isLarge = results.some(
      (result) =>
        result.dtype === 'f32' &&
        result.byteLength > MOST_REALS &&
        recording.readers(result).some((reader) => !taken.has(reader)),
    );
    if (isLarge) taken.delete(dispatch);
  }
  return taken;
}
