/** The logs of a training: lines, a table, and TensorBoard's event files, read by a parser that shares nothing with the writer. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { parse } from 'csv-parse/sync';
import { afterAll, describe, expect, test } from 'vitest';
import { StorageError } from '../src/errors.ts';
import { LOG_FILES, type LogLine, readLog, TrainingLog } from '../src/node/training-log.ts';
import { crc32c, encodeEvent, eventHeader } from '../src/reports/tensorboard.ts';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn log '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bit by bit, as RFC 3720 has it. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = ((crc ^ (byte >> bit)) & 1) === 1;
      crc = (crc >>> 1) ^ (isOdd ? 0x82f63b78 : 0);
    }
  }
  return ~crc >>> 0;
}

/** The checksum that a masked one stands for (TensorFlow's `Unmask`). */
function unmasked(masked: number): number {
  const turned = (masked - 0xa282ead8) >>> 0;
  return ((turned >>> 17) | (turned << 15)) >>> 0;
}

interface Parsed {
  time: number;
  step: number;
  version?: string;
  scalars: Record<string, number>;
}

/** All records of an event file, their checksums checked. */
function parseEvents(file: Uint8Array): Parsed[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const events: Parsed[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(unmasked(view.getUint32(at + 8, true))).toBe(slowCrc(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(unmasked(view.getUint32(at + 12 + length, true))).toBe(slowCrc(data));
    events.push(parseEvent(data));
    at += 16 + length;
  }
  return events;
}

function parseEvent(data: Uint8Array): Parsed {
  const event: Parsed = { time: 0, step: 0, scalars: {} };
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Bit64) event.time = reader.double();
    else if (field === 2 && type === WireType.Varint) event.step = Number(reader.int64());
    else if (field === 3 && type === WireType.LengthDelimited) event.version = reader.string();
    else if (field === 5 && type === WireType.LengthDelimited) {
      const summary = new BinaryReader(reader.bytes());
      while (summary.pos < summary.len) {
        expect(summary.tag()).toEqual([1, WireType.LengthDelimited]);
        const value = new BinaryReader(summary.bytes());
        expect(value.tag()).toEqual([1, WireType.LengthDelimited]);
        const name = value.string();
        expect(value.tag()).toEqual([2, WireType.Bit32]);
        event.scalars[name] = value.float();
        expect(value.pos).toBe(value.len);
      }
    } else throw new Error(`field ${field} of type ${type}`);
  }
  return event;
}

describe("TensorBoard's event files", () => {
  test('the checksum is CRC-32C', () => {
    // RFC 3720, B.4, and the check value of the catalogue of CRCs.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  test('what is written is read back', () => {
    const scalars = { 'loss/train': 0.5, Größe: -1e-7, [`long ${'x'.repeat(300)}`]: 3e38 };
    const written = [
      eventHeader(1.5),
      ...[0, 1, 127, 128, 300, 2 ** 31, 2 ** 40].map((step) =>
        encodeEvent({ time: 1e9 + step, step, scalars }),
      ),
      encodeEvent({ time: 0, step: 1, scalars: { nothing: Number.NaN, all: 1 } }),
    ];
    const events = parseEvents(Buffer.concat(written));
    expect(events[0]).toEqual({ time: 1.5, step: 0, version: 'brain.Event:2', scalars: {} });
    expect(events.slice(1, 8).map(({ step }) => step)).toEqual([0, 1, 127, 128, 300, 2 ** 31, 2 ** 40]);
    for (const event of events.slice(1, 8)) {
      expect(event.time).toBe(1e9 + event.step);
      expect(event.scalars).toEqual(
        Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, Math.fround(value)])),
      );
    }
    expect(events[8]?.scalars).toEqual({ all: 1 });
  });
});

describe('a log', () => {
  const step = (n: number): LogLine => ({
    kind: 'step',
    step: n,
    epoch: 1,
    loss: 1 / n,
    accuracy: 0.5,
    time: 100 + n,
  });
  const epoch = (n: number): LogLine => ({
    ...{ kind: 'epoch', step: 10 * n, time: 200 + n, epoch: n, trainLoss: 0.5, trainAccuracy: 0.75 },
    ...{
      testLoss: 0.25,
      testAccuracy: 0.875,
      testScores: { top5: 1, f1: 0.5 },
      validationLoss: 2,
      validationAccuracy: 0.5,
    },
    ...{ learningRate: 0.01, seconds: 2, imagesPerSecond: 50 },
  });
  const all = [step(5), step(10), epoch(1), step(15), step(20), epoch(2)];
  const filesOf = (name: string) =>
    Object.values(LOG_FILES).map((file) => readFileSync(join(folder, name, file)).toString('latin1'));
  const written = (name: string, upTo: number, lines: readonly LogLine[]) => {
    rmSync(join(folder, name), { recursive: true, force: true });
    mkdirSync(join(folder, name));
    const log = new TrainingLog(join(folder, name), upTo);
    for (const line of lines) log.write(line);
    log.close();
  };
  test('is lines, a table and events that say the same', () => {
    written('whole', 0, all);
    const [lines = '', table = '', events = ''] = filesOf('whole');
    expect(
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(all);
    expect(readLog(join(folder, 'whole'))).toEqual(all);
    const rows = parse(table, { columns: true, cast: true }) as Record<string, unknown>[];
    expect(rows.length).toBe(2);
    expect(rows[1]).toMatchObject({
      step: 20,
      epoch: 2,
      testLoss: 0.25,
      testTop5: 1,
      testF1: 0.5,
      validationLoss: 2,
    });
    const parsed = parseEvents(Buffer.from(events, 'latin1'));
    expect(parsed.map(({ step: n }) => n)).toEqual([0, 5, 10, 10, 15, 20, 20]);
    expect(parsed[3]?.scalars).toMatchObject({ 'loss/test': 0.25, 'loss/validation': 2, 'f1/test': 0.5 });
  });

  test('of a training that was stopped and resumed is the log of one that was not', () => {
    written('whole', 0, all);
    // Steps beyond the checkpoint, one of them cut off by a kill.
    written('stopped', 0, [...all.slice(0, 4), { ...step(20), loss: 9 } as LogLine]);
    writeFileSync(join(folder, 'stopped', LOG_FILES.lines), '{"kind":"step","st', { flag: 'a' });
    const log = new TrainingLog(join(folder, 'stopped'), 15);
    for (const line of all.slice(4)) log.write(line);
    log.close();
    expect(filesOf('stopped').slice(0, 2)).toEqual(filesOf('whole').slice(0, 2));
    const events = ['stopped', 'whole'].map((name) =>
      parseEvents(Buffer.from(filesOf(name)[2] ?? '', 'latin1')).slice(1),
    );
    expect(events[0]).toEqual(events[1]);
  });

  test('a disk that fills is said, with what to do; what was written is whole', () => {
    mkdirSync(join(folder, 'full'));
    let left = 5;
    const log = new TrainingLog(join(folder, 'full'), 0, (file, bytes) => {
      if (left-- === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      writeFileSync(file, bytes);
    });
    log.write(step(5));
    log.write(step(10));
    expect(() => log.write(step(15))).toThrow(StorageError);
    left = 0;
    expect(() => log.write(step(15))).toThrow(/the disk is full[\s\S]*free some space/);
    log.close();
    expect(readLog(join(folder, 'full')).map(({ step: n }) => n)).toEqual([5, 10]);
  });
});
