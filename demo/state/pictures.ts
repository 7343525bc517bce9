/** Pictures that a visitor chose or dropped, by class, before anything reads them. */
import { signal } from '@preact/signals';

/** Files of one class. */
export interface PictureGroup {
  readonly name: string;
  readonly files: readonly File[];
}

/** A file, and the folder that it lies in; undefined where it came alone. */
export interface FoundFile {
  readonly file: File;
  readonly folder: string | undefined;
}

export const groups = signal<readonly PictureGroup[]>([]);
/** Files that this page made, by pad or camera: they are nowhere else. */
export const madeHere = new WeakSet<File>();

/** Files of an input; those of a folder know where they lie. */
export function chosenFiles(files: Iterable<File>): FoundFile[] {
  return [...files].map((file) => ({ file, folder: file.webkitRelativePath.split('/').at(-2) }));
}

/** Files that were dropped, and those of dropped folders. To be called while the event is handled. */
export async function droppedFiles(items: Iterable<DataTransferItem>): Promise<FoundFile[]> {
  // What isn't asked for now is gone after the event.
  const dropped = [...items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found = dropped.map(({ entry, file }) => {
    if (entry !== null) return filesOf(entry, undefined);
    return file === null ? [] : [{ file, folder: undefined }];
  });
  return (await Promise.all(found)).flat();
}

async function filesOf(entry: FileSystemEntry, folder: string | undefined): Promise<FoundFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ file, folder }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FoundFile[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    for (const inner of some) found.push(...(await filesOf(inner, entry.name)));
  }
}

/**
 * Adds files to their classes: that of their folder, or the one that was named. Of a folder, what is no picture by its name is left
 * out; a file that was chosen by itself is kept, and what is wrong with it is said when it is read.
 */
export function addFiles(found: readonly FoundFile[], named: string): void {
  const all = new Map(groups.value.map(({ name, files }) => [name, [...files]]));
  const flat = named.trim() === '' ? `class ${all.size + 1}` : named.trim();
  for (const { file, folder } of found) {
    if (folder !== undefined && (file.name.startsWith('.') || !file.type.startsWith('image/'))) continue;
    const name = folder ?? flat;
    const files = all.get(name) ?? [];
    files.push(file);
    all.set(name, files);
  }
  groups.value = [...all].map(([name, files]) => ({ name, files }));
}

/** Adds a picture that this page made. */
export function addMade(file: File, name: string): void {
  madeHere.add(file);
  addFiles([{ file, folder: undefined }], name);
}

export function removeFile(file: File): void {
  groups.value = groups.value
    .map(({ name, files }) => ({ name, files: files.filter((other) => other !== file) }))
    .filter(({ files }) => files.length > 0);
}

export function renameGroup(index: number, name: string): void {
  const group = groups.value[index];
  if (group !== undefined && name.trim() !== '')
    groups.value = groups.value.with(index, { ...group, name: name.trim() });
}

export function removeGroup(index: number): void {
  groups.value = groups.value.toSpliced(index, 1);
}
