/** Runs in the browser's storage: what lists show, the curves, and the checkpoints to go on from. */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { EpochRecord, InitialRecord } from '../../src/reports/story.ts';
import type { StoredPictures } from './pictures.ts';
import type { History, RunSummary } from './protocol.ts';

/** What a report tells of a training: angles before the first step, and what was measured after each epoch. */
export interface Story {
  readonly initial: InitialRecord;
  readonly records: readonly EpochRecord[];
}

export interface StoredRun {
  readonly summary: RunSummary;
  readonly history: History;
  /** Absent of runs that were kept before there were reports. */
  readonly story?: Story;
  /** Checkpoints as files of safetensors: of the binary network, and of its twin. */
  readonly binary: Uint8Array<ArrayBuffer>;
  readonly twin: Uint8Array<ArrayBuffer> | undefined;
}

interface Schema extends DBSchema {
  summaries: { key: string; value: RunSummary };
  runs: { key: string; value: StoredRun };
  /** Once for all runs that learn them. */
  pictures: { key: string; value: StoredPictures };
}

let opened: Promise<IDBPDatabase<Schema>> | undefined;

function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('webgpu-bnn studio', 2, {
    upgrade(created, version) {
      if (version < 1) {
        created.createObjectStore('summaries', { keyPath: 'id' });
        created.createObjectStore('runs', { keyPath: 'summary.id' });
      }
      created.createObjectStore('pictures', { keyPath: 'id' });
    },
    terminated: () => {
      opened = undefined;
    },
  });
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

/** Keeps a run as it stands now, and the pictures that it learns: all of it or nothing. */
export async function keepRun(run: StoredRun, learnt: StoredPictures | undefined): Promise<void> {
  const transaction = (await database()).transaction(['summaries', 'runs', 'pictures'], 'readwrite');
  const pictures = transaction.objectStore('pictures');
  const isNew = learnt !== undefined && (await pictures.count(learnt.id)) === 0;
  await Promise.all([
    ...(isNew ? [pictures.put(learnt)] : []),
    transaction.objectStore('summaries').put(run.summary),
    transaction.objectStore('runs').put(run),
    transaction.done,
  ]);
}

export async function runOf(id: string): Promise<StoredRun | undefined> {
  return (await database()).get('runs', id);
}

/** All runs, the one that changed last first. */
export async function allRuns(): Promise<RunSummary[]> {
  const all = await (await database()).getAll('summaries');
  return all.sort((a, b) => b.changed - a.changed);
}

export async function picturesOf(id: string): Promise<StoredPictures | undefined> {
  return (await database()).get('pictures', id);
}

/** Deletes a run, and pictures that no other learns. */
export async function deleteRun(id: string): Promise<void> {
  const transaction = (await database()).transaction(['summaries', 'runs', 'pictures'], 'readwrite');
  const summaries = transaction.objectStore('summaries');
  const all = await summaries.getAll();
  const learnt = all.find((run) => run.id === id)?.settings.pictures;
  const isShared = all.some((run) => run.id !== id && run.settings.pictures === learnt);
  await Promise.all([
    ...(learnt === undefined || isShared ? [] : [transaction.objectStore('pictures').delete(learnt)]),
    summaries.delete(id),
    transaction.objectStore('runs').delete(id),
    transaction.done,
  ]);
}

/** Renames a run where it is kept, in one transaction: what is kept of it meanwhile is not lost. */
export async function renameRun(id: string, name: string): Promise<void> {
  const transaction = (await database()).transaction(['summaries', 'runs'], 'readwrite');
  const runs = transaction.objectStore('runs');
  const stored = await runs.get(id);
  if (stored !== undefined) {
    const summary = { ...stored.summary, name };
    await Promise.all([transaction.objectStore('summaries').put(summary), runs.put({ ...stored, summary })]);
  }
  await transaction.done;
}
