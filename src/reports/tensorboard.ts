/**
 * Event files as TensorBoard reads them: records of TFRecord, each an `Event` of protobuf with scalar summaries.
 *
 * - A record is its length (u64), the masked CRC-32C of these eight bytes, its bytes, and the masked CRC-32C of them; all are
 *   little endian (tensorflow/core/lib/io/record_writer.h).
 * - `Event` (tensorflow/core/util/event.proto): 1 wall_time (double), 2 step (int64), 3 file_version (string), 5 summary.
 * - `Summary`: 1 value, repeated: 1 tag (string), 2 simple_value (float).
 */

/** A moment of a training: its numbers by name, `loss/train` say. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** What a file begins with. @param time seconds since 1970 */
export function eventHeader(time: number): Uint8Array<ArrayBuffer> {
  return record([...double(1, time), ...text(3, 'brain.Event:2')]);
}

/** One moment. Numbers that aren't finite are left out. */
export function encodeEvent({ time, step, scalars }: ScalarEvent): Uint8Array<ArrayBuffer> {
  const values = Object.entries(scalars).filter(([, value]) => Number.isFinite(value));
  const summary = values.flatMap(([name, value]) => nested(1, [...text(1, name), ...float(2, value)]));
  return record([...double(1, time), ...varint(tag(2, 0)), ...varint(step), ...nested(5, summary)]);
}

function record(bytes: readonly number[]): Uint8Array<ArrayBuffer> {
  const data = Uint8Array.from(bytes);
  const whole = new Uint8Array(data.length + 16);
  const view = new DataView(whole.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(whole.subarray(0, 8)), true);
  whole.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return whole;
}

const tag = (field: number, type: 0 | 1 | 2 | 5) => 8 * field + type;

/** Seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return [...bytes, left];
}

function nested(field: number, bytes: readonly number[]): number[] {
  return [...varint(tag(field, 2)), ...varint(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return nested(field, [...new TextEncoder().encode(value)]);
}

function double(field: number, value: number): number[] {
  return [...varint(tag(field, 1)), ...new Uint8Array(Float64Array.of(value).buffer)];
}

function float(field: number, value: number): number[] {
  return [...varint(tag(field, 5)), ...new Uint8Array(Float32Array.of(value).buffer)];
}

/** Of CRC-32C (Castagnoli), reflected. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** CRC-32C of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 255] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A checksum of what holds checksums itself is masked: turned by 15 bits, and moved. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
