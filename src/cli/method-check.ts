/** `webgpu-bnn doctor --check my-method.js`: holds methods of one's own against their twins, and a stream against itself. */
import {
  type Gpu,
  isStreamed,
  type Loss,
  type Method,
  type Optimizer,
  OptionError,
  type Penalty,
  type Quantizer,
  type StreamedSource,
} from '../index.ts';
import { checkMethod, EVERY } from '../methods.ts';
import { isLibraryError, loadModule } from '../node/modules.ts';
import type { Finding } from './finding.ts';

type Checkable = Quantizer | Optimizer | Penalty | Loss;

/** Names that are taken, by kind. */
const TAKEN: Readonly<Record<Checkable['kind'], readonly string[]>> = {
  quantizer: Object.keys(EVERY.quantizer),
  optimizer: Object.keys(EVERY.optimizer),
  penalty: Object.keys(EVERY.penalty),
  loss: Object.keys(EVERY.loss),
};

/**
 * Checks all methods that a module exports: objects, factories (with their defaults), lists of them, and streams.
 * @throws what `loadModule` does; OptionError for a module that exports nothing of the kind
 */
export async function checkModule(gpu: Gpu, path: string): Promise<Finding[]> {
  const exported = Object.entries(await loadModule(path, '--check')).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one: unknown) => ({ name, value: one })),
  );
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { name, value } of exported) {
    if (isSource(value)) {
      findings.push(await finding(`source ${name}`, () => checkStream(value)));
      continue;
    }
    const isFactory = typeof value === 'function' && 'definition' in value;
    if (!isFactory && !isCheckable(value)) continue;
    // The same method may be exported twice: by name, and as the default.
    const method = isFactory ? (value as unknown as () => unknown)() : value;
    if (!isCheckable(method) || exported.some((other) => other.value === value && other.name < name))
      continue;
    findings.push(
      await finding(`${method.kind} ${method.name}`, async () => {
        assertFree(method, seen);
        const { compared, worst } = await checkMethod(gpu, method);
        return `${compared} numbers are those of its twin, to ${worst.toExponential(1)}`;
      }),
    );
  }
  if (findings.length > 0) return findings;
  throw new OptionError('This module exports nothing to check.', {
    given: exported.map(({ name }) => name).join(', ') || 'no exports',
    expected: 'what defineQuantizer, defineOptimizer, definePenalty, defineLoss or defineSource gives',
    where: `--check ${path}`,
    remedy: 'export it: export const mine = defineQuantizer({ ... })',
  });
}

function isCheckable(value: unknown): value is Checkable {
  const { kind, name } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Method>;
  return kind !== undefined && Object.hasOwn(TAKEN, kind) && typeof name === 'string';
}

function isSource(value: unknown): value is StreamedSource {
  return (
    typeof value === 'object' && value !== null && 'count' in value && isStreamed(value as StreamedSource)
  );
}

/** @throws OptionError for a name that files would take for another method */
function assertFree({ kind, name }: Checkable, seen: Set<string>): void {
  const isTwice = seen.has(`${kind} ${name}`);
  seen.add(`${kind} ${name}`);
  if (!isTwice && !TAKEN[kind].includes(name)) return;
  throw new OptionError('This name is taken.', {
    given: `${kind} ${name}`,
    expected: isTwice ? 'a name of its own for each' : 'another name than that of a shipped one',
    where: 'name',
    remedy: `begin it with a word of your own: my${name[0]?.toUpperCase()}${name.slice(1)}`,
  });
}

const MOST_ROWS = 16;

/** Reads some samples twice, in another order: they must be the same. */
async function checkStream(source: StreamedSource): Promise<string> {
  const rows = Math.min(MOST_ROWS, source.count);
  const samples = Uint32Array.from({ length: rows }, (_, i) => Math.floor((i * source.count) / rows));
  const read = async (order: Uint32Array) => {
    // What a sample takes is not known here: room for one as large as any picture.
    const room = source.dtype === 'u8' ? new Uint8Array(2 ** 24) : new Float32Array(2 ** 22);
    const into = { images: room, labels: new Float32Array(2 ** 16), weights: new Float32Array(rows).fill(1) };
    await source.read(order, into);
    return into;
  };
  const [first, second] = [await read(samples), await read(Uint32Array.from(samples))];
  for (const part of ['images', 'labels', 'weights'] as const) {
    const at = first[part].findIndex((value, i) => !Object.is(value, second[part][i]));
    if (at < 0) continue;
    throw new OptionError('The same samples have other content when they are read again.', {
      given: `${part}[${at}] = ${first[part][at]}, then ${second[part][at]}`,
      expected: 'the same content whenever a sample is asked for',
      remedy: 'let what is drawn follow from the number of the sample',
    });
  }
  return `${rows} of ${source.count} samples, read twice, are the same`;
}

async function finding(probe: string, check: () => Promise<string>): Promise<Finding> {
  try {
    return { probe, ok: true, finding: await check() };
  } catch (error) {
    if (!isLibraryError(error)) return { probe, ok: false, finding: String(error) };
    const { what, where, given, expected, remedy } = error;
    const details = [where, given && `given ${given}`, expected && `expected ${expected}`].filter(Boolean);
    return {
      ...{ probe, ok: false, finding: [what, ...details].join('\n') },
      ...(remedy === undefined ? {} : { remedy }),
    };
  }
}
