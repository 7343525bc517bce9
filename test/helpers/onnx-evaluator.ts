/**
 * ONNX graphs in float64, as the operators' specifications have them: NCHW, one node after the other, nothing folded. What
 * it shares with the library is the parser of the container.
 */
import { type OnnxNode, parseOnnx } from '../../src/formats/onnx/container.ts';
import type { HandMade } from './onnx-file.ts';

export interface Nd {
  readonly dims: readonly number[];
  readonly data: Float64Array<ArrayBuffer>;
}

const product = (dims: readonly number[]) => dims.reduce((size, extent) => size * extent, 1);

/** A tensor from a function of the place. */
function build(dims: readonly number[], at: (place: readonly number[]) => number): Nd {
  const place = dims.map(() => 0);
  const data = Float64Array.from({ length: product(dims) }, (_, index) => {
    let rest = index;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place[axis] = rest % (dims[axis] ?? 1);
      rest = Math.floor(rest / (dims[axis] ?? 1));
    }
    return at(place);
  });
  return { dims: [...dims], data };
}

/** The value at a place; 0 outside; extents of 1 are repeated, missing axes in front too. */
function at({ dims, data }: Nd, place: readonly number[]): number {
  const own = place.slice(place.length - dims.length);
  let index = 0;
  for (const [axis, extent] of dims.entries()) {
    const p = extent === 1 ? 0 : (own[axis] ?? 0);
    if (p < 0 || p >= extent) return 0;
    index = index * extent + p;
  }
  return data[index] ?? Number.NaN;
}

function binary(a: Nd, b: Nd, f: (x: number, y: number) => number): Nd {
  const rank = Math.max(a.dims.length, b.dims.length);
  const wide = (dims: readonly number[]) => [...new Array<number>(rank - dims.length).fill(1), ...dims];
  const [left, right] = [wide(a.dims), wide(b.dims)];
  const dims = left.map((extent, axis) => Math.max(extent, right[axis] ?? 1));
  return build(dims, (place) => f(at({ ...a, dims: left }, place), at({ ...b, dims: right }, place)));
}

const unary = (x: Nd, f: (v: number) => number): Nd => ({ dims: x.dims, data: x.data.map(f) });

function halfEven(v: number): number {
  const low = Math.floor(v);
  if (v - low !== 0.5) return Math.round(v);
  return low % 2 === 0 ? low : low + 1;
}

const ROUND: Readonly<Record<string, (v: number) => number>> = {
  ROUND: halfEven,
  FLOOR: Math.floor,
  CEIL: Math.ceil,
  ROUND_TO_ZERO: Math.trunc,
  DOWN: Math.trunc,
  UP: (v) => Math.sign(v) * Math.ceil(Math.abs(v)),
  HALF_UP: (v) => Math.sign(v) * Math.floor(Math.abs(v) + 0.5),
  HALF_DOWN: (v) => Math.sign(v) * Math.ceil(Math.abs(v) - 0.5),
};

interface Axis {
  readonly out: number;
  readonly before: number;
}

/** Where a window lies on one axis, from the specification of `auto_pad`, `pads` and `ceil_mode`. */
function axisOf(
  node: OnnxNode,
  axis: number,
  size: number,
  kernel: number,
): Axis & { step: number; gap: number } {
  const step = node.numbers.get('strides')?.[axis] ?? 1;
  const gap = node.numbers.get('dilations')?.[axis] ?? 1;
  const reach = (kernel - 1) * gap + 1;
  const rule = node.texts.get('auto_pad') ?? 'NOTSET';
  if (rule === 'SAME_UPPER' || rule === 'SAME_LOWER') {
    const out = Math.ceil(size / step);
    const total = Math.max(0, (out - 1) * step + reach - size);
    const before = rule === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
    return { out, before, step, gap };
  }
  const pads = rule === 'VALID' ? [] : (node.numbers.get('pads') ?? []);
  const [before, after] = [pads[axis] ?? 0, pads[axis + 2] ?? 0];
  const steps = (size + before + after - reach) / step;
  if (!node.numbers.get('ceil_mode')?.[0]) return { out: Math.floor(steps) + 1, before, step, gap };
  let out = Math.ceil(steps) + 1;
  if ((out - 1) * step >= size + before) out -= 1;
  return { out, before, step, gap };
}

function pool(node: OnnxNode, x: Nd, kind: 'max' | 'mean'): Nd {
  const [n = 1, c = 1, h = 1, w = 1] = x.dims;
  const [kh = 1, kw = 1] = node.numbers.get('kernel_shape') ?? [];
  const [y, z] = [axisOf(node, 0, h, kh), axisOf(node, 1, w, kw)];
  const counts = node.numbers.get('count_include_pad')?.[0] === 1;
  return build([n, c, y.out, z.out], ([b = 0, channel = 0, oy = 0, ox = 0]) => {
    let [largest, sum, count] = [Number.NEGATIVE_INFINITY, 0, 0];
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const [iy, ix] = [oy * y.step + ky * y.gap - y.before, ox * z.step + kx * z.gap - z.before];
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
        const v = at(x, [b, channel, iy, ix]);
        largest = Math.max(largest, v);
        sum += v;
        count += 1;
      }
    }
    return kind === 'max' ? largest : sum / (counts ? kh * kw : count);
  });
}

function conv(node: OnnxNode, x: Nd, w: Nd, bias: Nd | undefined): Nd {
  const [n = 1, , h = 1, width = 1] = x.dims;
  const [o = 1, depth = 1, kh = 1, kw = 1] = w.dims;
  const groups = node.numbers.get('group')?.[0] ?? 1;
  const [y, z] = [axisOf(node, 0, h, kh), axisOf(node, 1, width, kw)];
  return build([n, o, y.out, z.out], ([b = 0, filter = 0, oy = 0, ox = 0]) => {
    let sum = bias?.data[filter] ?? 0;
    const first = Math.floor(filter / (o / groups)) * depth;
    for (let c = 0; c < depth; c++) {
      for (let ky = 0; ky < kh; ky++) {
        for (let kx = 0; kx < kw; kx++) {
          const [iy, ix] = [oy * y.step + ky * y.gap - y.before, ox * z.step + kx * z.gap - z.before];
          if (iy < 0 || iy >= h || ix < 0 || ix >= width) continue;
          sum += at(x, [b, first + c, iy, ix]) * at(w, [filter, c, ky, kx]);
        }
      }
    }
    return sum;
  });
}

function matMul(a: Nd, b: Nd): Nd {
  const K = a.dims.at(-1) ?? 1;
  return build([...a.dims.slice(0, -1), b.dims[1] ?? 1], (place) => {
    let sum = 0;
    for (let k = 0; k < K; k++) {
      sum += at(a, [...place.slice(0, -1), k]) * (b.data[k * (b.dims[1] ?? 1) + (place.at(-1) ?? 0)] ?? 0);
    }
    return sum;
  });
}

function reshape(x: Nd, asked: readonly number[]): Nd {
  const known = asked.map((extent, axis) => (extent === 0 ? (x.dims[axis] ?? 1) : extent));
  const rest = x.data.length / product(known.filter((extent) => extent > 0));
  return { dims: known.map((extent) => (extent < 0 ? rest : extent)), data: x.data };
}

function softmax(x: Nd, given: number): Nd {
  const axis = given < 0 ? given + x.dims.length : given;
  const exp = unary(x, Math.exp);
  return build(x.dims, (place) => {
    let sum = 0;
    for (let i = 0; i < (x.dims[axis] ?? 1); i++)
      sum += at(
        exp,
        place.map((p, a) => (a === axis ? i : p)),
      );
    return at(exp, place) / sum;
  });
}

function transpose(x: Nd, perm: readonly number[]): Nd {
  return build(
    perm.map((axis) => x.dims[axis] ?? 1),
    (place) =>
      at(
        x,
        x.dims.map((_, axis) => place[perm.indexOf(axis)] ?? 0),
      ),
  );
}

/** A constant by channel along an axis, for DequantizeLinear and QuantizeLinear. */
function along(node: OnnxNode, rank: number, row: Nd | undefined): Nd {
  if (row === undefined) return { dims: [], data: new Float64Array(1) };
  const given = node.numbers.get('axis')?.[0] ?? 1;
  const axis = given < 0 ? given + rank : given;
  if (row.data.length === 1) return { dims: [], data: row.data };
  return { dims: [row.data.length, ...new Array<number>(rank - 1 - axis).fill(1)], data: row.data };
}

/** Windows of images, on values of one axis or with channels last as well. */
function windowed(node: OnnxNode, inputs: readonly (Nd | undefined)[]): Nd {
  const [x = { dims: [], data: new Float64Array() }, w, bias] = inputs;
  if (node.domain === 'qonnx.custom_op.channels_last') {
    const toFirst = [0, x.dims.length - 1, ...x.dims.slice(2).map((_, axis) => axis + 1)];
    const result = windowed({ ...node, domain: '' }, [
      transpose(x, toFirst),
      w && transpose(w, toFirst),
      bias,
    ]);
    return transpose(result, [0, ...x.dims.slice(2).map((_, axis) => axis + 2), 1]);
  }
  if (x.dims.length === 3) {
    const row = (own: Nd): Nd => ({
      ...own,
      dims: [own.dims[0] ?? 1, own.dims[1] ?? 1, 1, own.dims[2] ?? 1],
    });
    const numbers = new Map(node.numbers);
    for (const name of ['kernel_shape', 'strides', 'dilations']) {
      const given = numbers.get(name);
      if (given !== undefined) numbers.set(name, [1, ...given]);
    }
    const [before = 0, after = 0] = numbers.get('pads') ?? [];
    if (numbers.has('pads')) numbers.set('pads', [0, before, 0, after]);
    const result = windowed({ ...node, numbers }, [row(x), w && row(w), bias]);
    return { ...result, dims: result.dims.filter((_, axis) => axis !== 2) };
  }
  if (node.operator === 'Conv') return conv(node, x, w ?? x, bias);
  return pool(node, x, node.operator === 'MaxPool' ? 'max' : 'mean');
}

/** A node's output from its inputs. */
function run(node: OnnxNode, inputs: readonly (Nd | undefined)[]): Nd {
  const input = (index: number): Nd => {
    const found = inputs[index];
    if (found === undefined) throw new Error(`${node.name} lacks input ${index}`);
    return found;
  };
  const number = (name: string, otherwise: number) => node.numbers.get(name)?.[0] ?? otherwise;
  const list = (name: string, index: number) => node.numbers.get(name) ?? [...(inputs[index]?.data ?? [])];
  const x = inputs[0] ?? { dims: [], data: new Float64Array() };
  const rank = x.dims.length;
  const isLast = node.domain === 'qonnx.custom_op.channels_last';
  const columns = (vector: Nd): Nd => ({
    dims: [vector.data.length, ...new Array<number>(isLast ? 0 : Math.max(0, rank - 2)).fill(1)],
    data: vector.data,
  });
  switch (node.operator) {
    case 'Add':
      return binary(x, input(1), (a, b) => a + b);
    case 'Sub':
      return binary(x, input(1), (a, b) => a - b);
    case 'Mul':
      return binary(x, input(1), (a, b) => a * b);
    case 'Div':
      return binary(x, input(1), (a, b) => a / b);
    case 'GreaterOrEqual':
      return binary(x, input(1), (a, b) => Number(a >= b));
    case 'Greater':
      return binary(x, input(1), (a, b) => Number(a > b));
    case 'LessOrEqual':
      return binary(x, input(1), (a, b) => Number(a <= b));
    case 'Less':
      return binary(x, input(1), (a, b) => Number(a < b));
    case 'Not':
      return { dims: x.dims, data: x.data.map((value) => 1 - value) };
    case 'Where': {
      const then = binary(x, input(1), (condition, a) => (condition === 0 ? 0 : a));
      const otherwise = binary(x, input(2), (condition, b) => (condition === 0 ? b : 0));
      return binary(then, otherwise, (a, b) => a + b);
    }
    case 'Pow':
      return binary(x, input(1), (a, b) => a ** b);
    case 'Relu':
      return unary(x, (v) => Math.max(0, v));
    case 'PRelu':
      return binary(x, input(1), (v, slope) => (v < 0 ? v * slope : v));
    case 'Clip': {
      const low = inputs[1]?.data[0] ?? number('min', Number.NEGATIVE_INFINITY);
      const high = inputs[2]?.data[0] ?? number('max', Number.POSITIVE_INFINITY);
      return unary(x, (v) => Math.min(high, Math.max(low, v)));
    }
    case 'Softmax':
      return softmax(x, number('axis', -1));
    case 'BatchNormalization': {
      const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => columns(input(i))) as [Nd, Nd, Nd, Nd];
      const deviation = unary(variance, (v) => Math.sqrt(v + number('epsilon', 1e-5)));
      const unit = binary(
        binary(x, mean, (a, b) => a - b),
        deviation,
        (a, b) => a / b,
      );
      return binary(
        binary(unit, gamma, (a, b) => a * b),
        beta,
        (a, b) => a + b,
      );
    }
    case 'Sign':
      // Binary networks have no zero.
      return unary(x, (v) => (v >= 0 ? 1 : -1));
    case 'BipolarQuant':
      return binary(x, input(1), (v, scale) => (v >= 0 ? 1 : -1) * scale);
    case 'Quant': {
      const bits = input(3).data[0] ?? 8;
      const signed = number('signed', 1) === 1;
      const narrow = number('narrow', 0) === 1;
      const low = signed ? -(2 ** (bits - 1)) + (narrow ? 1 : 0) : 0;
      const high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1 - (narrow ? 1 : 0);
      const round = ROUND[node.texts.get('rounding_mode') ?? 'ROUND'] ?? halfEven;
      const scaled = binary(
        binary(x, input(1), (v, s) => v / s),
        input(2),
        (v, z) => v + z,
      );
      const whole = unary(scaled, (v) =>
        bits === 1 && signed ? (v >= 0 ? 1 : -1) : round(Math.min(high, Math.max(low, v))),
      );
      return binary(
        binary(whole, input(2), (v, z) => v - z),
        input(1),
        (v, s) => v * s,
      );
    }
    case 'MultiThreshold': {
      const limits = input(1);
      const [rows = 1, count = 1] = limits.dims;
      const hasLast = (node.texts.get('data_layout') ?? 'NCHW') === 'NHWC' && rank === 4;
      const axis = hasLast || (rank !== 2 && rank !== 4) ? rank - 1 : 1;
      return build(x.dims, (place) => {
        const row = rows === 1 ? 0 : (place[axis] ?? 0);
        const own = limits.data.slice(row * count, (row + 1) * count);
        const reached = own.filter((limit) => at(x, place) >= limit).length;
        return number('out_scale', 1) * reached + number('out_bias', 0);
      });
    }
    case 'MatMul':
      return matMul(x, input(1));
    case 'XnorPopcountMatMul': {
      const signs = (v: number) => 2 * v - 1;
      const dot = matMul(unary(x, signs), unary(input(1), signs));
      return unary(dot, (v) => (v + (x.dims.at(-1) ?? 0)) / 2);
    }
    case 'Gemm': {
      const w = input(1);
      const [rows = 1, cols = 1] = w.dims;
      const right = number('transB', 0) ? build([cols, rows], ([r = 0, c = 0]) => at(w, [c, r])) : w;
      const sum = unary(matMul(x, right), (v) => v * number('alpha', 1));
      const bias = inputs[2];
      return bias === undefined ? sum : binary(sum, bias, (v, b) => v + number('beta', 1) * b);
    }
    case 'Conv':
    case 'MaxPool':
    case 'AveragePool':
      return windowed(node, inputs);
    case 'Sigmoid':
      return unary(x, (v) => 1 / (1 + Math.exp(-v)));
    case 'Tanh':
      return unary(x, Math.tanh);
    case 'LeakyRelu':
      return unary(x, (v) => (v < 0 ? v * number('alpha', 0.01) : v));
    case 'Selu':
      return unary(x, (v) => 1.0507009873554805 * (v < 0 ? 1.6732632423543772 * (Math.exp(v) - 1) : v));
    case 'Neg':
      return unary(x, (v) => -v);
    case 'Sum':
      return inputs.slice(1).reduce<Nd>((sum, _, i) => binary(sum, input(i + 1), (a, b) => a + b), x);
    case 'Max':
      return binary(x, input(1), Math.max);
    case 'Min':
      return binary(x, input(1), Math.min);
    case 'Slice': {
      const [starts, ends] = [list('starts', 1), list('ends', 2)];
      const axes =
        node.numbers.get('axes') ?? (inputs[3] ? [...inputs[3].data] : starts.map((_, axis) => axis));
      const steps = inputs[4] ? [...inputs[4].data] : axes.map(() => 1);
      const places = x.dims.map((extent, axis) => {
        const index = axes.findIndex((own) => (own < 0 ? own + rank : own) === axis);
        const all = Array.from({ length: extent }, (_, i) => i);
        if (index < 0) return all;
        const [step = 1, start = 0, end = 0] = [steps[index], starts[index], ends[index]];
        const from = start < 0 ? start + extent : start;
        const to = end < 0 ? end + extent : end;
        const taken: number[] = [];
        const first = step > 0 ? Math.max(0, from) : Math.min(extent - 1, from);
        for (let i = first; step > 0 ? i < Math.min(to, extent) : i > Math.max(to, -1); i += step)
          taken.push(i);
        return taken;
      });
      return build(
        places.map(({ length }) => length),
        (place) =>
          at(
            x,
            place.map((p, axis) => places[axis]?.[p] ?? 0),
          ),
      );
    }
    case 'QuantizeLinear': {
      const rounded = binary(x, along(node, rank, input(1)), (v, s) => halfEven(v / s));
      const [low, high] = (inputs[2] as { type?: number } | undefined)?.type === 3 ? [-128, 127] : [0, 255];
      return binary(rounded, along(node, rank, inputs[2]), (v, z) => Math.min(high, Math.max(low, v + z)));
    }
    case 'DequantizeLinear': {
      const centred = binary(x, along(node, rank, inputs[2]), (v, z) => v - z);
      return binary(centred, along(node, rank, input(1)), (v, s) => v * s);
    }
    case 'GlobalAveragePool':
    case 'ReduceMean': {
      const over = node.numbers
        .get('axes')
        ?.map((axis) => (axis < 0 ? axis + rank : axis))
        .join();
      if (over === '1,2') {
        const flat = run({ ...node, numbers: new Map([['keepdims', [0]]]) }, [transpose(x, [0, 3, 1, 2])]);
        const [batch = 1, channels = 1] = flat.dims;
        return number('keepdims', 1) ? { ...flat, dims: [batch, 1, 1, channels] } : flat;
      }
      const [n = 1, c = 1, h = 1, w = 1] = x.dims;
      const means = build([n, c, 1, 1], ([b = 0, channel = 0]) => {
        const start = (b * c + channel) * h * w;
        return x.data.slice(start, start + h * w).reduce((sum, v) => sum + v, 0) / (h * w);
      });
      const kept = [n, c, ...x.dims.slice(2).map(() => 1)];
      return { ...means, dims: number('keepdims', 1) ? kept : [n, c] };
    }
    case 'Reshape':
      return reshape(x, list('shape', 1));
    case 'Flatten':
      return reshape(x, [x.dims[0] ?? 1, -1]);
    case 'Squeeze': {
      const axes = list('axes', 1).map((axis) => (axis < 0 ? axis + rank : axis));
      return {
        ...x,
        dims: x.dims.filter((extent, axis) => (axes.length > 0 ? !axes.includes(axis) : extent !== 1)),
      };
    }
    case 'Unsqueeze': {
      const axes = list('axes', 1);
      const dims = [...x.dims];
      for (const axis of axes.map((a) => (a < 0 ? a + rank + axes.length : a)).sort((a, b) => a - b)) {
        dims.splice(axis, 0, 1);
      }
      return { ...x, dims };
    }
    case 'Transpose': {
      return transpose(x, node.numbers.get('perm') ?? x.dims.map((_, axis) => rank - 1 - axis));
    }
    case 'Concat': {
      const axis = (number('axis', 0) + rank) % rank;
      const parts = inputs.map((_, index) => input(index));
      const total = parts.reduce((sum, { dims }) => sum + (dims[axis] ?? 0), 0);
      return build(
        x.dims.map((extent, a) => (a === axis ? total : extent)),
        (place) => {
          let offset = place[axis] ?? 0;
          for (const part of parts) {
            const width = part.dims[axis] ?? 0;
            if (offset < width)
              return at(
                part,
                place.map((p, a) => (a === axis ? offset : p)),
              );
            offset -= width;
          }
          return Number.NaN;
        },
      );
    }
    case 'Pad': {
      const pads = list('pads', 1);
      const value = inputs[2]?.data[0] ?? number('value', 0);
      return build(
        x.dims.map((extent, axis) => extent + (pads[axis] ?? 0) + (pads[axis + rank] ?? 0)),
        (place) => {
          const own = place.map((p, axis) => p - (pads[axis] ?? 0));
          return own.some((p, axis) => p < 0 || p >= (x.dims[axis] ?? 1)) ? value : at(x, own);
        },
      );
    }
    case 'Shape':
      return { dims: [rank], data: Float64Array.from(x.dims) };
    case 'Gather': {
      const index = input(1);
      return { dims: index.dims, data: index.data.map((i) => x.data.at(i) ?? Number.NaN) };
    }
    case 'Constant':
      return (
        node.tensors.get('value') ?? {
          dims: [],
          data: Float64Array.from(node.numbers.get('value_float') ?? []),
        }
      );
    case 'Identity':
    case 'Dropout':
    case 'Cast':
      return x;
    default:
      throw new Error(`the evaluator doesn't know ${node.operator}`);
  }
}

/** The output of a file for an input with the file's own dims, NCHW. */
export function evaluateOnnx(bytes: Uint8Array, given: ArrayLike<number>): Nd {
  const { nodes, initializers, inputs, outputs } = parseOnnx(bytes);
  const [entry] = inputs.filter(({ name }) => !initializers.has(name));
  if (entry === undefined) throw new Error('no input');
  const first = [entry.dims[0] || 1, ...entry.dims.slice(1)];
  const known = new Map<string, Nd>(initializers);
  known.set(entry.name, { dims: first, data: Float64Array.from(given) });
  return resultOf(evaluateNodes(nodes, known), outputs[0]?.name);
}

/** Everything that nodes make of what is known. */
export function evaluateNodes(nodes: readonly OnnxNode[], given: ReadonlyMap<string, Nd>): Map<string, Nd> {
  const known = new Map(given);
  for (const node of nodes) {
    const values = node.inputs.map((name) => known.get(name));
    const output = run(node, values);
    for (const name of node.outputs) known.set(name, output);
  }
  return known;
}

export function resultOf(known: ReadonlyMap<string, Nd>, name = ''): Nd {
  const result = known.get(name);
  if (result === undefined) throw new Error(`no output ${name}`);
  return result;
}

/** All values of a graph as a test describes it, without this library's parser. */
export function evaluateHandMade(
  { constants, nodes }: HandMade,
  given: Readonly<Record<string, Nd>>,
): Map<string, Nd> {
  const types = { int8: 3, uint8: 2 } as const;
  const known = new Map<string, Nd>(Object.entries(given));
  for (const [name, [dims, data, type]] of Object.entries(constants)) {
    const number = type === 'int8' || type === 'uint8' ? types[type] : 1;
    known.set(name, { dims, data: Float64Array.from(data), type: number } as Nd);
  }
  const made = nodes.map(([operator, inputs, attributes = {}, more = {}], index): OnnxNode => {
    const entries = Object.entries(attributes);
    const listOf = (value: (typeof attributes)[string]) =>
      typeof value === 'number'
        ? [value]
        : typeof value === 'string'
          ? []
          : 'float' in value
            ? [value.float]
            : value;
    return {
      ...{ operator, inputs, name: more.name ?? `node${index}`, domain: more.domain ?? '' },
      outputs: more.outputs ?? [`n${index}`],
      numbers: new Map(
        entries.flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, listOf(value)]])),
      ),
      texts: new Map(entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))),
      tensors: new Map(),
    };
  });
  return evaluateNodes(made, known);
}

/** NCHW to NHWC, and any other shape with its channels last. */
export function channelsLast({ dims, data }: Nd): Float64Array<ArrayBuffer> {
  if (dims.length < 3) return data;
  const [n = 1, c = 1, ...rest] = dims;
  const pixels = product(rest);
  const out = new Float64Array(data.length);
  for (let b = 0; b < n; b++) {
    for (let channel = 0; channel < c; channel++) {
      for (let p = 0; p < pixels; p++) {
        out[(b * pixels + p) * c + channel] = data[(b * c + channel) * pixels + p] ?? 0;
      }
    }
  }
  return out;
}

/** An end of a network as `importOnnx` tells it. */
interface End {
  readonly layout: string;
  readonly dims: readonly number[];
}

/** Axes of an end with channels last. */
function lastOrder(end: End | undefined): number[] {
  const letters = [...(end?.layout ?? '')];
  const channel = letters.indexOf('C');
  const others = letters.map((_, axis) => axis).filter((axis) => axis !== channel);
  return channel < 0 ? others : [...others, channel];
}

function moved({ dims, data }: Nd, order: readonly number[]): Float64Array<ArrayBuffer> {
  const to = order.map((axis) => dims[axis] ?? 1);
  return build(to, (place) =>
    at(
      { dims, data },
      dims.map((_, axis) => place[order.indexOf(axis)] ?? 0),
    ),
  ).data;
}

/** A sample in the file's order as the model takes it. */
export function intoModel(end: End | undefined, x: Nd): Float64Array<ArrayBuffer> {
  return moved(x, lastOrder(end));
}

/** What the model gives for one sample, in the file's order. */
export function outOfModel(end: End | undefined, y: Float32Array): Float32Array<ArrayBuffer> {
  const order = lastOrder(end);
  const dims = order.map((axis) => (axis === 0 ? 1 : (end?.dims[axis] ?? 1)));
  const back = order.map((_, axis) => order.indexOf(axis));
  return Float32Array.from(moved({ dims, data: Float64Array.from(y) }, back));
}
