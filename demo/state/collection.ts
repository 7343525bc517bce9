/** What a visitor drew and took by camera, in the browser's storage until it is removed: a reload forgets none of it. */
import { effect, signal, untracked } from '@preact/signals';
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { Trouble } from '../worker/protocol.ts';
import { addMade, groups, madeHere } from './pictures.ts';

/** Why pictures can't be kept. */
export const unkept = signal<Trouble | undefined>(undefined);

/** How many changes are not written yet: a page that is left now forgets them. */
export const unwritten = signal(0);

interface Schema extends DBSchema {
  /** One a picture, in the order in which they came. */
  pictures: { key: number; value: { readonly name: string; readonly file: File } };
}

/** Where pictures are kept, and by which class. */
const kept = new Map<File, { readonly key: number; readonly name: string }>();
let opened: Promise<IDBPDatabase<Schema>> | undefined;

/** Apart from the runs: a tab with an older page may hold those. */
function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('webgpu-bnn collection', 1, {
    upgrade: (created) => void created.createObjectStore('pictures', { autoIncrement: true }),
    terminated: () => {
      opened = undefined;
    },
  });
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

/** Brings back what was collected, and keeps what is collected from now on. */
export async function keepCollection(): Promise<void> {
  await restore().catch(() => undefined);
  let writing = Promise.resolve();
  effect(() => {
    const made = new Map(
      groups.value.flatMap(({ name, files }) =>
        files.filter((file) => madeHere.has(file)).map((file) => [file, name] as const),
      ),
    );
    unwritten.value = untracked(() => unwritten.value) + 1;
    writing = writing
      .then(() => keep(made))
      .then(
        () => {
          unkept.value = undefined;
        },
        (cause: unknown) => {
          unkept.value = {
            kind: 'error',
            what: 'This browser keeps no more pictures: a reload forgets what was added last.',
            given: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause),
            remedy: 'delete runs, or allow this page to store data; learn these pictures before you leave',
          };
        },
      )
      .finally(() => {
        unwritten.value -= 1;
      });
  });
}

async function restore(): Promise<void> {
  const { store } = (await database()).transaction('pictures');
  const [keys, records] = await Promise.all([store.getAllKeys(), store.getAll()]);
  for (const [i, { name, file }] of records.entries()) {
    kept.set(file, { key: keys[i] ?? 0, name });
    addMade(file, name);
  }
}

/** Writes what changed. @param made class of each picture that shall be kept */
async function keep(made: ReadonlyMap<File, string>): Promise<void> {
  const gone = [...kept].filter(([file]) => !made.has(file));
  const changed = [...made].filter(([file, name]) => kept.get(file)?.name !== name);
  if (gone.length + changed.length === 0) return;
  const { store, done } = (await database()).transaction('pictures', 'readwrite');
  const [keys] = await Promise.all([
    Promise.all(changed.map(([file, name]) => store.put({ name, file }, kept.get(file)?.key))),
    ...gone.map(([, { key }]) => store.delete(key)),
    done,
  ]);
  for (const [file] of gone) kept.delete(file);
  for (const [i, [file, name]] of changed.entries()) kept.set(file, { key: keys[i] ?? 0, name });
}
