/** Rules of ONNX' own quantization: QuantizeLinear makes integers of reals, DequantizeLinear reals of integers. */
import { relu } from '../../layers/index.ts';
import { gridRange } from '../../numerics/integers.ts';
import { roundBy } from '../../numerics/rounding.ts';
import { ELEMENT, type OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import { integersOf } from './quantization.ts';
import {
  type Activation,
  axisOf,
  broadcast,
  type Constant,
  compose,
  constantOf,
  numberOf,
  refused,
  type Value,
} from './values.ts';

/** The least and the largest integer of each type. */
const RANGES = new Map<number, readonly [low: number, high: number]>([
  [ELEMENT.uint8, [0, 255]],
  [ELEMENT.int8, [-128, 127]],
  [ELEMENT.uint16, [0, 65535]],
  [ELEMENT.int16, [-32768, 32767]],
]);

/** Scale and zero point as they are broadcast to a value of so many axes. */
function gridOf(
  node: OnnxNode,
  rank: number,
  scale: Value | undefined,
  zero: Value | undefined,
): { readonly scale: Constant; readonly zero: Constant } {
  if (numberOf(node, 'block_size', 0) !== 0) throw refused(node, 'it has a scale for every block');
  const aligned = (constant: Constant): Constant => {
    if (constant.data.length === 1) return { ...constant, dims: [] };
    if (constant.dims.length !== 1)
      throw refused(node, `its scales have the shape [${constant.dims.join(', ')}]`);
    const axis = axisOf(node, numberOf(node, 'axis', 1), rank);
    return { ...constant, dims: [constant.data.length, ...new Array<number>(rank - 1 - axis).fill(1)] };
  };
  const steps = constantOf(node, scale);
  if (!steps.data.every((step) => step > 0 && Number.isFinite(step)))
    throw refused(node, 'a scale is not positive');
  const none: Constant = { kind: 'constant', dims: [], data: new Float64Array(1) };
  return { scale: aligned(steps), zero: zero === undefined ? none : aligned(constantOf(node, zero)) };
}

/** round(x/scale) + zero, within the type. */
const quantizeLinear: Rule = (importer, node, [x, by, offset]) => {
  const type =
    offset?.kind === 'constant'
      ? (offset.type ?? ELEMENT.uint8)
      : numberOf(node, 'output_dtype', ELEMENT.uint8);
  const range = RANGES.get(type);
  if (x === undefined || range === undefined) throw refused(node, `its integers are of type ${type}`);
  const { scale, zero } = gridOf(node, x.dims.length, by, offset);
  const [low, high] = range;
  if (x.kind === 'constant') {
    const rounded = broadcast(node, x, scale, (value, step) => roundBy('halfEven', value / step));
    const data = broadcast(node, rounded, zero, (value, own) => Math.min(high, Math.max(low, value + own)));
    return { ...data, type };
  }
  const scaled = importer.byChannel(node, importer.activation(node, x), scale);
  const { value, row: zeros } = importer.byChannel(node, scaled.value, zero);
  const [own = 0] = zeros;
  if (zeros.some((other) => other !== own)) throw refused(node, 'its zero points differ');
  const key = JSON.stringify(['linear', type, own, [...scaled.row]]);
  if (value.grid === key) {
    importer.folded.push(`${node.name} (quantized so already)`);
    return compose(value, (channel) => [1 / (scaled.row[channel] ?? 1), own]);
  }
  const integers = rounded(importer, node, value, scaled.row, [low - own, high - own]);
  return { ...compose(integers, () => [1, own]), grid: key };
};

/** The nearest integers of value/step, ties to even, within bounds. */
function rounded(
  importer: Importer,
  node: OnnxNode,
  value: Activation,
  steps: Float64Array<ArrayBuffer>,
  [least, most]: readonly [number, number],
): Activation {
  const zeros = new Float64Array(steps.length);
  const grid = { signed: least < 0, narrow: false, rounding: 'halfEven' } as const;
  const bits = Math.log2(most - least + 1);
  const [low, high] = gridRange({ ...grid, bits });
  if (low === least && high === most)
    return integersOf(importer, node, value, steps, zeros, { ...grid, bits });
  // A zero point moves the range off the grids that there are: rounded on a wide one, then limited.
  const wide = integersOf(importer, node, value, steps, zeros, { ...grid, signed: true, bits: 24 });
  return importer.alike(node, (name) => relu({ name, minimum: least, maximum: most }), wide, 'integers');
}

/** (x − zero)·scale. */
const dequantizeLinear: Rule = (importer, node, [x, by, offset]) => {
  if (x === undefined) throw refused(node, 'its input is missing');
  const { scale, zero } = gridOf(node, x.dims.length, by, offset);
  if (x.kind === 'constant') {
    const integers = broadcast(node, x, zero, (value, own) => value - own);
    const values = broadcast(node, integers, scale, (value, step) => value * step);
    const [step] = scale.data;
    return {
      ...values,
      type: ELEMENT.float,
      ...(scale.data.length === 1 && step !== undefined ? { step } : {}),
    };
  }
  const { grid } = importer.activation(node, x);
  const centred = importer.stepped(node, importer.activation(node, x), zero, (own) => [1, -own]);
  return { ...importer.stepped(node, centred, scale, (step) => [step, 0]), grid };
};

export const INTEGER_RULES: Readonly<Record<string, Rule>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
};
