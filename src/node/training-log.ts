/**
 * What a training writes of itself while it runs: `log.jsonl`, a line for some steps and one for each epoch; `log.csv`, a row an
 * epoch; and an event file for TensorBoard. The first is what counts: the other two follow from it.
 *
 * A training that is resumed goes on with the lines up to its checkpoint, and without those after it, so that the log of a
 * training is the same whether it was stopped or not, but for its times.
 */
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochInfo } from '../index.ts';
import { parseJson } from '../json.ts';
import { csvOf } from '../reports/csv.ts';
import { encodeEvent, eventHeader } from '../reports/tensorboard.ts';
import { storageError } from './files.ts';
import { partialPath, sweepPartials } from './partial.ts';

/** One line: a step, or an epoch that is over. */
export type LogLine =
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly epoch: number;
      /** Of this step's batch. */
      readonly loss: number;
      readonly accuracy: number;
      /** Seconds since 1970. */
      readonly time: number;
    }
  | ({ readonly kind: 'epoch'; readonly step: number; readonly time: number } & EpochInfo);

/** The files of a log, as they are called in the folder of a run. `tfevents` is what TensorBoard looks for. */
export const LOG_FILES = {
  lines: 'log.jsonl',
  table: 'log.csv',
  events: 'events.out.tfevents.webgpu-bnn',
} as const;

/** Writes bytes at the end of an open file; tests replace it by one that fails. */
export type Append = (file: number, bytes: Uint8Array) => void;

export class TrainingLog {
  readonly #folder: string;
  readonly #files: Readonly<Record<keyof typeof LOG_FILES, number>>;
  readonly #append: Append;
  #columns: readonly string[] | undefined;

  /**
   * Opens the log of a training.
   * @param folder of the run; it is there
   * @param upTo steps that the training has done: lines beyond them are of steps that are done anew. 0: the log begins
   * @throws StorageError
   */
  constructor(folder: string, upTo: number, append: Append = (file, bytes) => void writeSync(file, bytes)) {
    this.#folder = folder;
    this.#append = append;
    const kept = upTo === 0 ? [] : readLog(folder).filter(({ step }) => step <= upTo);
    // What is kept is written beside the log, which stays as it is until that is whole.
    const paths = Object.values(LOG_FILES).map((name) => join(folder, name));
    const partials = paths.map(partialPath);
    for (const path of paths) sweepPartials(path);
    const [lines = 0, table = 0, events = 0] = this.#guarded(() =>
      partials.map((path) => openSync(path, 'wx')),
    );
    this.#files = { lines, table, events };
    this.#guarded(() => this.#append(events, eventHeader(kept[0]?.time ?? Date.now() / 1000)));
    for (const line of kept) this.write(line);
    this.#guarded(() => {
      for (const [i, partial] of partials.entries()) renameSync(partial, paths[i] ?? '');
    });
  }

  /** @throws StorageError where the disk is full; what was written before is whole */
  write(line: LogLine): void {
    this.#guarded(() => {
      this.#append(this.#files.lines, Buffer.from(`${JSON.stringify(line)}\n`));
      this.#append(this.#files.events, encodeEvent({ ...line, scalars: scalarsOf(line) }));
      if (line.kind === 'epoch') this.#append(this.#files.table, Buffer.from(this.#rowsOf(line)));
    });
  }

  close(): void {
    for (const file of Object.values(this.#files)) closeSync(file);
  }

  /** The row of an epoch, and before the first one the names of the columns. */
  #rowsOf(line: LogLine & { kind: 'epoch' }): string {
    const { kind: _, testScores, validationScores, ...numbers } = line;
    const cells: Record<string, number | undefined> = {
      ...numbers,
      ...named('test', testScores),
      ...named('validation', validationScores),
    };
    const head = this.#columns === undefined ? [Object.keys(cells)] : [];
    this.#columns ??= head[0] ?? [];
    return csvOf([...head, this.#columns.map((column) => cells[column])]);
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      throw storageError(
        'The log of the training could not be written.',
        join(this.#folder, LOG_FILES.lines),
        cause,
      );
    }
  }
}

/** The lines of a run's log; none where there is none, and without a last one that was cut off. */
export function readLog(folder: string): LogLine[] {
  let text: string;
  try {
    text = readFileSync(join(folder, LOG_FILES.lines), 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const value = parseJson(line) as Partial<LogLine> | null;
      const isLine = value?.kind === 'step' || value?.kind === 'epoch';
      return isLine && Number.isSafeInteger(value.step) && Number.isFinite(value.time)
        ? [value as LogLine]
        : [];
    } catch {
      return [];
    }
  });
}

function named(prefix: string, scores: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(
    Object.entries(scores).map(([name, value]) => [
      `${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`,
      value,
    ]),
  );
}

/** The numbers of a line as TensorBoard groups them: what stands before the slash is a chart's. */
function scalarsOf(line: LogLine): Record<string, number> {
  if (line.kind === 'step') return { 'loss/step': line.loss, 'accuracy/step': line.accuracy };
  const { trainLoss, trainAccuracy, testLoss, testAccuracy, validationLoss, validationAccuracy } = line;
  const all = {
    'loss/train': trainLoss,
    'loss/test': testLoss,
    'loss/validation': validationLoss,
    'accuracy/train': trainAccuracy,
    'accuracy/test': testAccuracy,
    'accuracy/validation': validationAccuracy,
    'learning rate': line.learningRate,
    'images a second': line.imagesPerSecond,
    ...scored('test', line.testScores),
    ...scored('validation', line.validationScores),
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

function scored(split: string, scores: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(scores).map(([name, value]) => [`${name}/${split}`, value]));
}
