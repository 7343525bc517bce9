/** ONNX models of one node, as bytes: onnx.proto3, a protocol buffer, written by hand. */
import { joinedBytes } from '../../formats/joined.ts';
import type { Shape } from '../../gpu/index.ts';

/** An attribute: a whole number, several, or a text. */
export type Attribute = number | readonly number[] | string;

/** Floats, or bytes. */
export interface Constant {
  readonly shape: Shape;
  readonly values: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
}

export interface OneNode {
  readonly operator: string;
  /** ONNX's own where it is absent. */
  readonly domain?: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly x: Shape;
  /** The inputs that follow `x`, by name. */
  readonly constants: Readonly<Record<string, Constant>>;
  readonly y: Shape;
}

const [FLOAT, BYTE] = [1, 2];
const [ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_INTS] = [2, 3, 7];

/** A model with input `x`, constants and output `y`. */
export function oneNodeModel({
  operator,
  domain = '',
  attributes,
  x,
  constants,
  y,
}: OneNode): Uint8Array<ArrayBuffer> {
  const node = [
    ...['x', ...Object.keys(constants)].map((name) => text(1, name)),
    text(2, 'y'),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) => message(5, [text(1, name), ...attribute(value)])),
    text(7, domain),
  ];
  const initializers = Object.entries(constants).map(([name, { shape, values }]) =>
    message(5, [
      ...shape.map((extent) => number(1, extent)),
      number(2, values instanceof Float32Array ? FLOAT : BYTE),
      text(8, name),
      bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    ]),
  );
  const graph = [
    message(1, node),
    text(2, operator),
    ...initializers,
    message(11, value('x', x)),
    message(12, value('y', y)),
  ];
  // IR version 8 and operator set 13, which every runtime of these years reads.
  const sets = [message(8, [number(2, 13)])];
  if (domain !== '') sets.push(message(8, [text(1, domain), number(2, 1)]));
  return joinedBytes([number(1, 8), message(7, graph), ...sets]);
}

function attribute(value: Attribute): Uint8Array<ArrayBuffer>[] {
  if (typeof value === 'string') return [text(4, value), number(20, ATTRIBUTE_STRING)];
  if (typeof value === 'number') return [number(3, value), number(20, ATTRIBUTE_INT)];
  return [...value.map((entry) => number(8, entry)), number(20, ATTRIBUTE_INTS)];
}

function value(name: string, shape: Shape): Uint8Array<ArrayBuffer>[] {
  const dimensions = shape.map((extent) => message(1, [number(1, extent)]));
  return [text(1, name), message(2, [message(1, [number(1, FLOAT), message(2, dimensions)])])];
}

function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 128);
  return [...digits, rest];
}

function number(field: number, value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

function bytes(field: number, content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return joinedBytes([Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
}

function text(field: number, content: string): Uint8Array<ArrayBuffer> {
  return bytes(field, new TextEncoder().encode(content));
}

function message(field: number, parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  return bytes(field, joinedBytes(parts));
}
