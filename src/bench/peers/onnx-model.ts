/** ONNX models of one node, as bytes: onnx.proto3, a protocol buffer, written by hand. */
import type { Shape } from '../../gpu/index.ts';

/** An attribute of whole numbers, or a text. */
export type Attribute = readonly number[] | string;

export interface OneNode {
  readonly operator: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly x: Shape;
  readonly w: { readonly shape: Shape; readonly values: Float32Array<ArrayBuffer> };
  readonly y: Shape;
}

const FLOAT = 1;
const [ATTRIBUTE_STRING, ATTRIBUTE_INTS] = [3, 7];

/** A model with input `x`, the constant `w` and output `y`. */
export function oneNodeModel({ operator, attributes, x, w, y }: OneNode): Uint8Array<ArrayBuffer> {
  const node = [
    text(1, 'x'),
    text(1, 'w'),
    text(2, 'y'),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      message(5, [
        text(1, name),
        ...(typeof value === 'string' ? [text(4, value)] : value.map((entry) => number(8, entry))),
        number(20, typeof value === 'string' ? ATTRIBUTE_STRING : ATTRIBUTE_INTS),
      ]),
    ),
  ];
  const constant = [
    ...w.shape.map((extent) => number(1, extent)),
    number(2, FLOAT),
    text(8, 'w'),
    bytes(9, new Uint8Array(w.values.buffer, w.values.byteOffset, w.values.byteLength)),
  ];
  const graph = [
    message(1, node),
    text(2, operator),
    message(5, constant),
    message(11, value('x', x)),
    message(12, value('y', y)),
  ];
  // IR version 8 and operator set 13, which every runtime of these years reads.
  return joined([number(1, 8), message(7, graph), message(8, [number(2, 13)])]);
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
  return joined([Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
}

function text(field: number, content: string): Uint8Array<ArrayBuffer> {
  return bytes(field, new TextEncoder().encode(content));
}

function message(field: number, parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  return bytes(field, joined(parts));
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
