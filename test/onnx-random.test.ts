/** Random ONNX graphs, written and evaluated in float64 by this test's own helpers, and run by the library. */
import { expect, test } from 'vitest';
import { importOnnx } from '../src/formats/onnx.ts';
import { Network } from '../src/graph/index.ts';
import { normal } from '../src/numerics/random.ts';
import { randomOf } from './helpers/attack.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { evaluateHandMade, intoModel, outOfModel, resultOf } from './helpers/onnx-evaluator.ts';
import { type Attribute, fileOf, type HandMade, type HandMadeConstant } from './helpers/onnx-file.ts';

const GRAPHS = 200;

/** What is drawn: a graph, and the order of its input's axes. */
interface Drawn {
  readonly file: HandMade;
  readonly layout: string;
}

/** Draws one graph: a layout, then operators one after the other, each on the shape that the one before it left. */
class Draw {
  readonly #random: (below: number) => number;
  readonly #seed: number;
  readonly #constants: Record<string, HandMadeConstant> = {};
  readonly #nodes: HandMade['nodes'][number][] = [];
  /** [channels, ...space] of the last value, however the file has it. */
  #shape: number[] = [];
  #last = 'x';
  /** Whether the values between operators have channels last, so that only QONNX' operators of that kind fit. */
  #isLast = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = randomOf(seed);
  }

  graph(): Drawn {
    const lines = this.#below(5) === 0;
    const channels = this.#pick([1, 3, 5]);
    const space = lines
      ? [this.#pick([7, 9])]
      : this.#pick([
          [5, 6],
          [6, 5],
          [7, 7],
        ]);
    const isLast = this.#below(2) === 0;
    this.#shape = [channels, ...space];
    const layout = lines ? (isLast ? 'NWC' : 'NCW') : isLast ? 'NHWC' : 'NCHW';
    const input = isLast ? [1, ...space, channels] : [1, channels, ...space];
    this.#isLast = isLast && this.#below(3) === 0;
    if (isLast && !this.#isLast) this.#toSecond();
    this.#window('Conv');
    for (let count = 1 + this.#below(3); count > 0; count--) this.#step();
    const end = this.#below(3);
    if (end === 0) this.#dense();
    else if (this.#isLast !== isLast || end === 1) this.#isLast ? this.#toSecond() : this.#toLast();
    return { file: { input, constants: this.#constants, nodes: this.#nodes, single: true }, layout };
  }

  #step(): void {
    const steps = [
      () => this.#window('Conv'),
      () => this.#window(this.#pick(['MaxPool', this.#isLast ? 'MaxPool' : 'AveragePool'])),
      () => this.#normalization(),
      () => this.#curve(),
      () => this.#constant(),
      () => this.#residual(),
      () => this.#slice(),
    ];
    this.#pick(steps)();
  }

  #window(operator: string): void {
    const [channels = 1, ...space] = this.#shape;
    const kernel = space.map((extent) => 1 + this.#below(Math.min(3, extent)));
    const isConv = operator === 'Conv';
    const dilations = space.map((extent, axis) =>
      isConv && ((kernel[axis] ?? 1) - 1) * 2 < extent ? 1 + this.#below(2) : 1,
    );
    const strides = space.map(() => 1 + this.#below(2));
    // Windows of pools see at least one pixel.
    const pads = [...kernel, ...kernel].map((extent) => this.#below(isConv ? 3 : extent));
    const group = isConv ? this.#pick([1, 1, channels]) : 1;
    const filters = isConv ? group * this.#pick(group === 1 ? [1, 3, 4, 6] : [1, 2]) : channels;
    const rule = this.#below(4) === 0 ? this.#pick(['SAME_UPPER', 'SAME_LOWER', 'VALID']) : undefined;
    const attributes: Record<string, Attribute> = {
      kernel_shape: kernel,
      strides,
      ...(rule === undefined ? { pads } : { auto_pad: rule }),
      ...(isConv ? { dilations, group } : {}),
      ...(operator === 'AveragePool' ? { count_include_pad: this.#below(2) } : {}),
    };
    const inputs = [this.#last];
    if (isConv) {
      const depth = channels / group;
      const dims = this.#isLast ? [filters, ...kernel, depth] : [filters, depth, ...kernel];
      inputs.push(this.#weights(dims, this.#below(2) === 0));
      if (this.#below(2) === 0) inputs.push(this.#reals([filters]));
    }
    const out = space.map((extent, axis) => {
      const [k = 1, stride = 1, gap = 1] = [kernel[axis], strides[axis], dilations[axis]];
      const [before = 0, after = 0] = [pads[axis], pads[axis + space.length]];
      const span = (k - 1) * gap + 1;
      if (rule?.startsWith('SAME')) return Math.ceil(extent / stride);
      return Math.floor(((rule === 'VALID' ? extent : extent + before + after) - span) / stride) + 1;
    });
    this.#node(operator, inputs, attributes, this.#isLast ? 'qonnx.custom_op.channels_last' : '');
    this.#shape = [filters, ...out];
  }

  #normalization(): void {
    const [channels = 1] = this.#shape;
    const rows = [this.#reals([channels]), this.#reals([channels]), this.#reals([channels])];
    const variance = this.#add([
      [channels],
      Array.from({ length: channels }, () => 0.5 + this.#below(4) / 2),
    ]);
    const domain = this.#isLast ? 'qonnx.custom_op.channels_last' : '';
    this.#node('BatchNormalization', [this.#last, ...rows, variance], { epsilon: { float: 0.01 } }, domain);
  }

  #curve(): void {
    const [channels = 1] = this.#shape;
    const kind = this.#pick(['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Selu', 'PRelu', 'Clip', 'Neg']);
    const more =
      kind === 'PRelu'
        ? [this.#reals(this.#ofChannels(channels))]
        : kind === 'Clip'
          ? [this.#add([[], [-0.75]]), this.#add([[], [1.25]])]
          : [];
    this.#node(kind, [this.#last, ...more], kind === 'LeakyRelu' ? { alpha: { float: 0.25 } } : {});
  }

  /** Arithmetic with a number, one a channel, or one a value. */
  #constant(): void {
    const [channels = 1, ...space] = this.#shape;
    const whole = this.#isLast ? [...space, channels] : [channels, ...space];
    const dims = this.#pick([[], this.#ofChannels(channels), whole]);
    const operator = this.#pick(['Add', 'Sub', 'Mul']);
    const inputs = [this.#last, this.#reals(dims)];
    this.#node(operator, this.#below(2) === 0 ? inputs : inputs.reverse(), {});
  }

  #residual(): void {
    const before = this.#last;
    this.#curve();
    this.#node(this.#pick(['Add', 'Mul', 'Max', 'Sub']), [before, this.#last], {});
  }

  #slice(): void {
    const [channels = 1, ...space] = this.#shape;
    const isBack = this.#below(3) === 0;
    const axis = this.#below(this.#shape.length);
    const extent = this.#shape[axis] ?? 1;
    if (extent < 2) return;
    const inFile = axis === 0 ? (this.#isLast ? space.length + 1 : 1) : this.#isLast ? axis : axis + 1;
    const [start, end] = isBack ? [-1, -extent - 5] : [1, extent + 9];
    const lists = [[start], [end], [inFile], [isBack ? -1 : 1]].map((list) =>
      this.#add([[1], list, 'int64']),
    );
    this.#node('Slice', [this.#last, ...lists], {});
    this.#shape = [channels, ...space];
    this.#shape[axis] = isBack ? extent : extent - 1;
  }

  #dense(): void {
    const size = this.#shape.reduce((all, extent) => all * extent, 1);
    this.#node('Flatten', [this.#last], {});
    this.#node('MatMul', [this.#last, this.#weights([size, 4], this.#below(2) === 0)], {});
    this.#shape = [4];
  }

  #toSecond(): void {
    const rank = this.#shape.length;
    const middle = Array.from({ length: rank - 1 }, (_, axis) => axis + 1);
    this.#node('Transpose', [this.#last], { perm: [0, rank, ...middle] });
    this.#isLast = false;
  }

  #toLast(): void {
    const middle = this.#shape.slice(1).map((_, axis) => axis + 2);
    this.#node('Transpose', [this.#last], { perm: [0, ...middle, 1] });
    this.#isLast = true;
  }

  #ofChannels(channels: number): number[] {
    const space = this.#shape.slice(1).map(() => 1);
    return this.#isLast ? [...space, channels] : [channels, ...space];
  }

  #weights(dims: readonly number[], isBinary: boolean): string {
    const size = dims.reduce((all, extent) => all * extent, 1);
    if (!isBinary) return this.#reals(dims);
    return this.#add([dims, Array.from({ length: size }, () => (this.#below(2) === 0 ? -0.25 : 0.25))]);
  }

  #reals(dims: readonly number[]): string {
    const size = dims.reduce((all, extent) => all * extent, 1);
    const stream = Object.keys(this.#constants).length;
    return this.#add([
      dims,
      Array.from({ length: size }, (_, i) => Math.fround(normal(this.#seed, stream, i) / 2)),
    ]);
  }

  #add(constant: HandMadeConstant): string {
    const name = `c${Object.keys(this.#constants).length}`;
    this.#constants[name] = constant;
    return name;
  }

  #node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    domain = '',
  ): void {
    this.#last = `n${this.#nodes.length}`;
    this.#nodes.push([operator, inputs, attributes, { domain }]);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #below(limit: number): number {
    return this.#random(limit);
  }
}

const gpu = useGpu();

test(`${GRAPHS} random graphs, NCHW and NHWC, of one and two axes, give what float64 gives`, async () => {
  const layouts = new Set<string>();
  for (let seed = 0; seed < GRAPHS; seed++) {
    const { file, layout } = new Draw(seed).graph();
    const size = file.input.reduce((all, extent) => all * extent, 1);
    const x = {
      dims: file.input,
      data: Float64Array.from({ length: size }, (_, i) => Math.round(8 * normal(5, seed, i)) / 8),
    };
    const expected = resultOf(evaluateHandMade(file, { x }), `n${file.nodes.length - 1}`);
    const where = `graph ${seed}: ${JSON.stringify([file.input, file.nodes])}`;
    const { model, values, inputs, outputs } = importOnnx(fileOf(file));
    expect(inputs[0]?.layout, where).toBe(layout);
    layouts.add(layout);
    using network = await Network.create(gpu(), model, { values, forInference: true });
    const y = await network.predict(Float32Array.from(intoModel(inputs[0], x)));
    expectClose(outOfModel(outputs[0], y), expected.data, 1e-4, where);
  }
  expect([...layouts].sort()).toEqual(['NCHW', 'NCW', 'NHWC', 'NWC']);
});
