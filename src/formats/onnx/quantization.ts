/** Rules of QONNX, FINN and Brevitas: what turns reals into signs or a few bits. */
import { affine, multiThreshold, quantize } from '../../layers/index.ts';
import { gridRange, type quantize as quantizeConstant } from '../../numerics/integers.ts';
import { type RoundingMode, roundBy } from '../../numerics/rounding.ts';
import { assertGrid } from '../../ops/pointwise.ts';
import type { OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import { assertFinite, binarize, leastReached } from './thresholds.ts';
import {
  type Activation,
  broadcast,
  type Constant,
  compose,
  constantOf,
  numberOf,
  refused,
  scalarOf,
} from './values.ts';

/** Rounding modes by QONNX' names. */
const ROUNDING: Readonly<Record<string, RoundingMode>> = {
  ROUND: 'halfEven',
  HALF_EVEN: 'halfEven',
  FLOOR: 'floor',
  CEIL: 'ceil',
  UP: 'awayFromZero',
  DOWN: 'towardZero',
  ROUND_TO_ZERO: 'towardZero',
  HALF_UP: 'halfAwayFromZero',
  HALF_DOWN: 'halfTowardZero',
};

const zeros = (value: Activation) => new Float64Array(value.scale.length);

const sign: Rule = (importer, node, [x]) => {
  if (x?.kind === 'constant')
    return { ...x, step: undefined, data: x.data.map((value) => (value < 0 ? -1 : 1)) };
  const value = importer.activation(node, x);
  // ONNX gives 0 there, which is no sign.
  return binarize(importer, node, value, zeros(value), [1, 0], `${node.name} (0 counts as +1)`);
};

const bipolar: Rule = (importer, node, [x, by]) => {
  const scale = constantOf(node, by);
  if (x?.kind === 'constant')
    return broadcast(node, x, scale, (weight, size) => (weight >= 0 ? size : -size));
  const { value, row } = importer.byChannel(node, importer.activation(node, x), scale);
  const signs = binarize(importer, node, value, zeros(value), [1, 0]);
  return compose(signs, (channel) => [row[channel] ?? 1, 0]);
};

const uniform: Rule = (importer, node, [x, by, zero, width]) => {
  const [scale, zeroPoint] = [constantOf(node, by), constantOf(node, zero)];
  const bits = scalarOf(node, width);
  const mode = (node.texts.get('rounding_mode') ?? 'ROUND').toUpperCase();
  const rounding = ROUNDING[mode];
  if (rounding === undefined) throw refused(node, `its rounding is ${mode}`);
  const grid = {
    bits,
    signed: numberOf(node, 'signed', 1) !== 0,
    narrow: numberOf(node, 'narrow', 0) !== 0,
    rounding,
  };
  const isBipolar = bits === 1 && grid.signed;
  if (!isBipolar) assertGrid(grid, node.name);
  if (x?.kind === 'constant') return quantizedConstant(node, x, scale, zeroPoint, isBipolar, grid);

  const scaled = importer.byChannel(node, importer.activation(node, x), scale);
  const { value, row: zeroRow } = importer.byChannel(node, scaled.value, zeroPoint);
  const steps = scaled.row;
  const finish = (levels: Activation) => compose(levels, (channel) => [steps[channel] ?? 1, 0]);
  if (isBipolar) {
    if (!steps.every((step) => step > 0)) throw refused(node, 'a scale is not positive');
    const limits = zeroRow.map((own, channel) => -own * (steps[channel] ?? 1));
    const signs = binarize(importer, node, value, limits, [1, 0]);
    return finish(compose(signs, (channel) => [1, -(zeroRow[channel] ?? 0)]));
  }
  const key = JSON.stringify([grid, [...steps], [...zeroRow]]);
  if (value.grid === key) {
    importer.folded.push(`${node.name} (quantized so already)`);
    return value;
  }
  return { ...finish(integersOf(importer, node, value, steps, zeroRow, grid)), grid: key };
};

/** A layer that gives the integers of a quantizer. */
export function integersOf(
  importer: Importer,
  node: OnnxNode,
  given: Activation,
  steps: Float64Array<ArrayBuffer>,
  zeroRow: Float64Array<ArrayBuffer>,
  grid: Parameters<typeof gridRange>[0] & { readonly rounding: RoundingMode },
): Activation {
  // A scale alone that is pending joins that of the quantizer.
  const joins = given.shift.every((own) => own === 0) && given.scale.every((own) => own !== 0);
  const value = joins ? given : importer.scaled(node, given);
  const scale = Float32Array.from(steps, (step, channel) => step / (value.scale[channel] ?? 1));
  if (!scale.every((own) => own !== 0 && Number.isFinite(own)))
    throw refused(node, 'a scale is 0 or not finite');
  const whole = zeroRow.every(Number.isInteger) ? 'integers' : 'reals';
  return importer.alike(node, (name) => quantize({ name, ...grid, output: 'integers' }), value, whole, {
    scale,
    zeroPoint: Float32Array.from(zeroRow),
  });
}

function quantizedConstant(
  node: OnnxNode,
  x: Constant,
  scale: Constant,
  zeroPoint: Constant,
  isBipolar: boolean,
  grid: Parameters<typeof quantizeConstant>[3],
): Constant {
  const [low, high] = gridRange(grid);
  const integers = broadcast(
    node,
    broadcast(node, x, scale, (weight, step) => weight / step),
    zeroPoint,
    (weight, zero) => {
      const real = weight + zero;
      const integer = isBipolar
        ? real >= 0
          ? 1
          : -1
        : roundBy(grid.rounding, Math.min(high, Math.max(low, real)));
      return integer - zero;
    },
  );
  const values = broadcast(node, integers, scale, (integer, step) => integer * step);
  const [step] = scale.data;
  const isWhole = scale.data.length === 1 && zeroPoint.data.every(Number.isInteger);
  return isWhole ? { ...values, step } : values;
}

const levels: Rule = (importer, node, [x, limits]) => {
  const given = importer.activation(node, x);
  const { dims, data } = constantOf(node, limits);
  const [rows = 0, count = 0] = dims;
  const rank = given.dims.length;
  const layout = node.texts.get('data_layout') ?? 'NCHW';
  const isLast = (layout.endsWith('C') && layout.length > 2) || (rank !== 2 && rank !== 4);
  const axis = isLast ? rank - 1 : 1;
  if (dims.length !== 2 || count < 1 || (rows !== 1 && rows !== given.dims[axis])) {
    throw refused(node, `its thresholds have the shape [${dims.join(', ')}]`);
  }
  const value = importer.withLast(node, given, axis);
  const row = (channel: number) => (rows === 1 ? 0 : (value.order?.places[channel] ?? channel));
  const limitOf = (channel: number, level: number) => data[row(channel) * count + level] ?? 0;
  const [outScale, outBias] = [numberOf(node, 'out_scale', 1), numberOf(node, 'out_bias', 0)];
  if (count === 1) {
    const half = outScale / 2;
    const column = Float64Array.from(value.scale, (_, channel) => limitOf(channel, 0));
    return binarize(importer, node, value, column, [half, half + outBias]);
  }
  importer.folded.push(node.name);
  const upright = value.scale.every((scale) => scale > 0) ? value : turnedUp(importer, node, value);
  const thresholds = new Float32Array(value.scale.length * count);
  for (const [channel, scale] of value.scale.entries()) {
    for (let level = 0; level < count; level++) {
      const rest = limitOf(channel, level) - (value.shift[channel] ?? 0);
      assertFinite(node, scale, rest);
      thresholds[channel * count + level] =
        scale === 0 ? (rest <= 0 ? 0 : 1) : leastReached(value.values, rest / Math.abs(scale));
    }
  }
  const made = importer.alike(node, (name) => multiThreshold({ name, levels: count }), upright, 'integers', {
    thresholds,
  });
  return compose(made, () => [outScale, outBias]);
};

/** The node's values times the sign of the scale that is pending, for comparisons with positive ones. */
function turnedUp(importer: Importer, node: OnnxNode, value: Activation): Activation {
  return importer.alike(node, (name) => affine({ name }), value, value.values, {
    scale: Float32Array.from(value.scale, Math.sign),
    shift: new Float32Array(value.scale.length),
  });
}

export const QUANTIZATION_RULES: Readonly<Record<string, Rule>> = {
  Sign: sign,
  BipolarQuant: bipolar,
  Quant: uniform,
  // As QONNX calls it since 2024.
  IntQuant: uniform,
  MultiThreshold: levels,
};
