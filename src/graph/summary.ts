/** What a model is made of, layer by layer: shapes, parameters by bit width, bytes and operations of one sample. */
import { byteLengthOf, type Shape, sizeOf } from '../gpu/index.ts';
import type { Operations } from '../layers/index.ts';
import type { Model, ModelLayer } from './model.ts';
import { multipliesSigns } from './signs.ts';

/** Shape, parameters and operations of a layer. */
export interface LayerSummary {
  /** Name of the layer in the model. */
  readonly name: string;
  /** Kind of the layer: `quantConv2d`, say. */
  readonly kind: string;
  /** Without the batch axis. */
  readonly outputShape: Shape;
  /** Weights stored as one bit. */
  readonly binaryParameters: number;
  /** Weights stored as 32 bits. */
  readonly floatParameters: number;
  /** Bytes at inference: binary weights packed, the rest f32. */
  readonly bytes: number;
  /** Multiply-accumulates of one sample. */
  readonly operations: Operations;
}

/** The layers of a model, and their sums. */
export interface ModelSummary {
  /** Name of the model. */
  readonly name: string;
  /** Of the first input, without the batch axis. */
  readonly inputShape: Shape;
  /** In the model's order. */
  readonly layers: readonly LayerSummary[];
  /** Sums over the layers. */
  readonly total: Omit<LayerSummary, 'name' | 'kind' | 'outputShape'>;
}

/** The summary as data. */
export function summarize(model: Model): ModelSummary {
  const layers = model.layers.map((layer, index) => summarizeLayer(layer, operationsOf(model, index)));
  const sum = (pick: (layer: LayerSummary) => number) =>
    layers.reduce((total, layer) => total + pick(layer), 0);
  return {
    name: model.name,
    inputShape: model.inputShape,
    layers,
    total: {
      binaryParameters: sum((layer) => layer.binaryParameters),
      floatParameters: sum((layer) => layer.floatParameters),
      bytes: sum((layer) => layer.bytes),
      operations: {
        binary: sum((layer) => layer.operations.binary),
        float: sum((layer) => layer.operations.float),
      },
    },
  };
}

/** The summary as a table of plain text. */
export function summaryText(model: Model): string {
  const { layers, total, name } = summarize(model);
  const row = (title: string, shape: string, layer: Omit<LayerSummary, 'name' | 'kind' | 'outputShape'>) => [
    title,
    shape,
    count(layer.binaryParameters),
    count(layer.floatParameters),
    bytes(layer.bytes),
    count(layer.operations.binary),
    count(layer.operations.float),
  ];
  const head = ['layer', 'output', '1-bit', '32-bit', 'bytes', 'binary MACs', 'float MACs'];
  const body = [
    ...model.inputs.map(({ name: own, shape }) => [own, shapeText(shape), '', '', '', '', '']),
    ...layers.map((layer) => row(layer.name, shapeText(layer.outputShape), layer)),
  ];
  const foot = row('total', '', total);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body, foot].map((cells) => (cells[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return [name, rule, line(head), rule, ...body.map(line), rule, line(foot)].join('\n');
}

/** Multiply-accumulates of a layer; those of binary weights with signs that came from another layer are binary, too. */
function operationsOf(model: Model, index: number): Operations {
  const { layer, inputShapes } = model.layers[index] ?? {};
  const { binary, float } = layer?.operations?.(inputShapes ?? []) ?? { binary: 0, float: 0 };
  return multipliesSigns(model, index) ? { binary: binary + float, float: 0 } : { binary, float };
}

function summarizeLayer(
  { name, layer, outputShape, parameters }: ModelLayer,
  operations: Operations,
): LayerSummary {
  const binary = parameters.filter(({ role }) => role === 'binary');
  const float = parameters.filter(({ role }) => role !== 'binary');
  return {
    name,
    kind: layer.kind,
    outputShape,
    binaryParameters: binary.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    floatParameters: float.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    bytes: parameters.reduce(
      (sum, { shape, role }) => sum + byteLengthOf(shape, role === 'binary' ? 'bits' : 'f32'),
      0,
    ),
    operations,
  };
}

function shapeText(shape: Shape): string {
  return shape.join(' x ');
}

function count(value: number): string {
  return value === 0 ? '-' : value.toLocaleString('en-US');
}

function bytes(value: number): string {
  if (value === 0) return '-';
  return value < 1024
    ? `${value} B`
    : value < 1024 ** 2
      ? `${(value / 1024).toFixed(1)} kB`
      : `${(value / 1024 ** 2).toFixed(2)} MB`;
}
