/** How the tensors of a survey are measured: here, or by workers. */
import { MemoryPlanError } from '../errors.ts';
import { FilterSurvey, type LayerSurvey } from '../geometry/survey.ts';
import {
  openQueue,
  reasonOf,
  type ServerOptions,
  type SurveyedLayer,
  type SurveyNumbers,
  surveyByWorkers,
} from '../nats/index.ts';
import { measureTensor, type StoredTensor } from '../node/tensors.ts';
import type { GeometryReport } from '../reports/geometry.ts';
import { adaptersOf, sayQueue } from './nats.ts';
import { type AdapterOptions, acquire, describeAdapter } from './options.ts';

/** What is there of a survey, and what becomes of what is measured. */
export interface Keeping {
  before(tensor: StoredTensor): LayerSurvey | undefined;
  add(layer: LayerSurvey, tensor: StoredTensor): Promise<void>;
  /** @param bytes of all tensors that are done */
  progress(bytes: number, name: string): void;
  say(text: string): void;
}

/** What was measured. */
export interface Measured extends Pick<GeometryReport, 'adapter' | 'peakGpuBytes'> {
  /** For each tensor, in their order. */
  readonly made: readonly SurveyedLayer[];
  /** Of the tensors that were measured now. */
  readonly bytes: number;
}

const bytesOf = ({ entry }: StoredTensor) => entry.end - entry.begin;

export async function measureHere(
  tensors: readonly StoredTensor[],
  { axis, groups, ...options }: SurveyNumbers,
  flags: AdapterOptions,
  { before, add, progress }: Keeping,
): Promise<Measured> {
  using gpu = await acquire(flags);
  using survey = new FilterSurvey(gpu, options);
  const made: SurveyedLayer[] = [];
  let bytes = 0;
  let kept = 0;
  for (const tensor of tensors) {
    const { name } = tensor;
    const done = before(tensor);
    if (done !== undefined) {
      kept += bytesOf(tensor);
      made.push({ state: 'done', layer: done });
      continue;
    }
    try {
      const layer = await measureTensor(survey, tensor, { axis, groups }, (share) => {
        bytes += share * bytesOf(tensor);
        progress(kept + bytes, name);
      });
      made.push({ state: 'done', layer });
      await add(layer, tensor);
    } catch (error) {
      // One filter that is too long is no reason to leave the others unmeasured.
      if (!(error instanceof MemoryPlanError)) throw error;
      made.push({ state: 'left out', reason: reasonOf(error) });
    }
  }
  const adapter = { name: describeAdapter(gpu), software: gpu.adapter.software };
  return { made, bytes, adapter, peakGpuBytes: gpu.memory.peakBytes };
}

export async function measureByWorkers(
  tensors: readonly StoredTensor[],
  numbers: SurveyNumbers,
  { server, root }: { readonly server: ServerOptions; readonly root: string },
  { before, add, progress, say }: Keeping,
): Promise<Measured> {
  const queue = await openQueue(server);
  try {
    sayQueue(server, say, ` --data FOLDER, with the files of ${root}`);
    const shares = tensors.map(() => 0);
    const advance = (index: number, share: number) => {
      shares[index] = share;
      const done = tensors.reduce((sum, tensor, at) => sum + bytesOf(tensor) * (shares[at] ?? 0), 0);
      progress(done, tensors[index]?.name ?? '');
    };
    const known = tensors.map(before);
    const made = await surveyByWorkers(queue, tensors, numbers, {
      root,
      before: (index) => known[index],
      keep: async (layer, index) => {
        const tensor = tensors[index];
        if (layer.state === 'done' && tensor !== undefined) await add(layer.layer, tensor);
      },
      onQueued: (jobs) => say(`queued    ${jobs} tensors`),
      onShare: advance,
      onResult: (_, index) => advance(index, 1),
    });
    const bytes = tensors.reduce((sum, one, at) => (known[at] === undefined ? sum + bytesOf(one) : sum), 0);
    const peaks = made.map((one) => one.peakGpuBytes ?? 0);
    const adapters = made.flatMap(({ adapter }) => adapter ?? []);
    return { made, bytes, adapter: adaptersOf(adapters), peakGpuBytes: Math.max(0, ...peaks) };
  } finally {
    await queue.close();
  }
}
