/**
 * BNN-PYNQ's CNV (3×3 convolutions 64-64-P-128-128-P-256-256, dense 512-512-10 on 32×32×3) as this library runs it, bits
 * from layer to layer, beside the float network of the same shape in ONNX Runtime Web on the processor.
 */
import type { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { GpuValidationError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import {
  foldForInference,
  initialValues,
  type Model,
  type ModelLayer,
  Network,
  sequential,
} from '../graph/index.ts';
import { flatten, type Layer, maxPool2d, quantConv2d, quantDense, threshold } from '../layers/index.ts';
import { type Timing, timing } from './measure.ts';
import { firstLine, type MissingPeer, optional } from './peers/peer.ts';

export interface CnvResult {
  readonly peer: string;
  readonly batch: number;
  /** Milliseconds a batch, from host to host. */
  readonly binary: Timing;
  readonly float: Timing;
  readonly imagesPerSecond: { readonly binary: number; readonly float: number };
  /** Images a second of this library over the peer's. */
  readonly ratio: number;
  /** Bytes of weights. */
  readonly weightBytes: { readonly binary: number; readonly float: number };
}

export interface CnvOptions {
  /** Images at once. Default 16. */
  readonly batch?: number;
  /** Timed runs, after one that isn't. Default 5. */
  readonly runs?: number;
}

type Floats = Float32Array;

/** The parts of ONNX Runtime Web that are used here. */
interface Ort {
  readonly env: { readonly versions: { readonly web?: string } };
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { readonly executionProviders: readonly string[] },
    ): Promise<OrtSession>;
  };
  readonly Tensor: new (type: 'float32', values: Float32Array, dims: readonly number[]) => object;
}
interface OrtSession {
  run(feeds: Readonly<Record<string, object>>): Promise<{ readonly y: { readonly data: Float32Array } }>;
  release(): Promise<void>;
}

/**
 * Times both networks with the same random weights. Before that, the float network with signs between its layers must
 * give the scores of the binary one, exactly; what is timed has ReLU there, as float networks do.
 * @returns why not, where ONNX Runtime Web can't be had
 * @throws GpuValidationError where the scores differ
 */
export async function benchCnv(gpu: Gpu, options: CnvOptions = {}): Promise<CnvResult | MissingPeer> {
  const { batch = 16, runs = 5 } = options;
  const name = 'ONNX Runtime Web WASM';
  let ort: Ort;
  let Writer: typeof BinaryWriter;
  try {
    ort = await optional<Ort>('onnxruntime-web');
    // Here and not above: a page that doesn't ask for this figure needs no package.
    ({ BinaryWriter: Writer } = await import('@bufbuild/protobuf/wire'));
  } catch (cause) {
    return { name, reason: firstLine(cause) };
  }
  const model = cnv();
  const values = initialValues(model, 1);
  const folded = foldForInference(model, values);
  using network = await Network.create(gpu, folded.model, { values: folded.values, forInference: true });

  const images = (count: number) =>
    Float32Array.from({ length: count * PIXELS }, (_, i) => ((i * 89) % 256) - 128);
  const floatModel = (count: number, activation: 'Relu' | 'Sign') =>
    floatCnv(Writer, model, values, count, activation);
  await compareScores(ort, network, floatModel(2, 'Sign'), images(2));

  const samples = images(batch);
  const binary = await times(runs, () => network.predict(samples));
  const session = await open(ort, floatModel(batch, 'Relu'));
  const input = new ort.Tensor('float32', planes(samples), [batch, 3, SIDE, SIDE]);
  const float = await times(runs, () => session.run({ x: input }));
  await session.release();
  const perSecond = ({ median }: Timing) => (1000 * batch) / median;
  return {
    peer: `${name} ${ort.env.versions.web ?? ''}`.trim(),
    batch,
    binary,
    float,
    imagesPerSecond: { binary: perSecond(binary), float: perSecond(float) },
    ratio: float.median / binary.median,
    weightBytes: {
      binary: network.parameterBytes,
      float:
        4 * [...values].reduce((sum, [key, { length }]) => sum + (key.endsWith('kernel') ? length : 0), 0),
    },
  };
}

const SIDE = 32;
export const PIXELS = SIDE * SIDE * 3;

/**
 * The network with thresholds at 0; its weights are drawn.
 * @param integers what the image holds, as the published network has it; reals when absent
 */
export function cnv(integers?: 'int8'): Model {
  const weights = { kernelQuantizer: 'steSign' } as const;
  const first = integers === undefined ? {} : { inputIntegers: integers };
  const block = (filters: number, ...more: Layer[]) => [
    quantConv2d({ filters, kernelSize: 3, ...weights }),
    ...more,
    threshold(),
  ];
  const dense = (units: number) => quantDense({ units, ...weights });
  const pool = () => maxPool2d({ poolSize: 2 });
  return sequential(
    [
      ...[quantConv2d({ filters: 64, kernelSize: 3, ...weights, ...first }), threshold()],
      ...block(64, pool()),
      ...block(128),
      ...block(128, pool()),
      ...block(256),
      ...block(256),
      flatten(),
      ...[dense(512), threshold(), dense(512), threshold(), dense(10)],
    ],
    { input: [SIDE, SIDE, 3], name: 'CNV' },
  );
}

async function times(runs: number, run: () => Promise<unknown>): Promise<Timing> {
  const samples: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    await run();
    samples.push(performance.now() - start);
  }
  const [warmUp = 0, ...timed] = samples;
  return { ...timing(timed), warmUp };
}

async function compareScores(
  ort: Ort,
  network: Network,
  floatModel: Uint8Array,
  samples: Floats,
): Promise<void> {
  const count = samples.length / PIXELS;
  const session = await open(ort, floatModel);
  const input = new ort.Tensor('float32', planes(samples), [count, 3, SIDE, SIDE]);
  const { y } = await session.run({ x: input });
  const found = y.data;
  await session.release();
  const scores = await network.predict(samples);
  const at = scores.findIndex((score, index) => score !== found[index]);
  if (at >= 0 || scores.length !== found.length) {
    throw new GpuValidationError('CNV gives other scores than the float network with its signs.', {
      given: `${scores[at]} for score ${at}`,
      expected: `${found[at]}`,
      where: 'benchCnv',
    });
  }
}

function open(ort: Ort, model: Uint8Array): Promise<OrtSession> {
  return ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
}

/** [N, H, W, C] to [N, C, H, W]. */
export function planes(images: Floats): Floats {
  return swapLast(images, images.length / PIXELS, SIDE * SIDE, 3);
}

/** [outer, rows, columns] to [outer, columns, rows]. */
function swapLast(values: Floats, outer: number, rows: number, columns: number): Floats {
  const swapped = new Float32Array(values.length);
  for (let i = 0; i < outer; i++) {
    const start = i * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        swapped[start + column * rows + row] = values[start + row * columns + column] ?? 0;
      }
    }
  }
  return swapped;
}

/**
 * The network in ONNX (onnx.proto3): signs of the weights as floats, and `activation` where the thresholds are. Sums are
 * integers, and half of one is added to each, so that `Sign` is never asked about zero.
 */
export function floatCnv(
  Writer: typeof BinaryWriter,
  model: Model,
  values: ReadonlyMap<string, Floats>,
  batch: number,
  activation: 'Relu' | 'Sign',
): Uint8Array<ArrayBuffer> {
  const graph = new Writer();
  let current = 'x';
  const node = (operator: string, inputs: readonly string[], output: string, attributes: Attributes = {}) => {
    message(graph, 1, (writer) => {
      for (const name of inputs) writer.tag(1, LENGTH).string(name);
      writer.tag(2, LENGTH).string(output);
      writer.tag(4, LENGTH).string(operator);
      for (const [name, value] of Object.entries(attributes)) attribute(writer, name, value);
    });
  };
  for (const [index, entry] of model.layers.entries()) {
    const { name, layer } = entry;
    const isLast = index === model.layers.length - 1;
    const output = isLast ? 'y' : name;
    if (layer.kind === 'quantConv2d' || layer.kind === 'quantDense') {
      const { dims, weights } = kernelOf(entry, values);
      initializer(graph, `${name}/kernel`, dims, weights);
      const filters = dims[0] ?? 1;
      initializer(graph, `${name}/bias`, [filters], new Float32Array(filters).fill(isLast ? 0 : 0.5));
      const inputs = [current, `${name}/kernel`, `${name}/bias`];
      if (layer.kind === 'quantConv2d') node('Conv', inputs, output, { kernel_shape: [3, 3] });
      else node('Gemm', inputs, output, { transB: 1 });
    } else if (layer.kind === 'maxPool2d') {
      node('MaxPool', [current], output, { kernel_shape: [2, 2], strides: [2, 2] });
    } else {
      node(layer.kind === 'flatten' ? 'Flatten' : activation, [current], output);
    }
    current = output;
  }
  graph.tag(2, LENGTH).string(model.name);
  value(graph, 11, 'x', [batch, 3, SIDE, SIDE]);
  value(graph, 12, 'y', [batch, ...model.outputShape]);

  // IR version 8 and operator set 13, which every runtime of these years reads.
  const file = new Writer().tag(1, VARINT).int64(8);
  file.tag(7, LENGTH).bytes(graph.finish());
  message(file, 8, (writer) => writer.tag(2, VARINT).int64(13));
  return file.finish();
}

/** Signs of a kernel as ONNX orders them: filters [O, C, H, W], dense ones [O, I]. */
function kernelOf(
  { name, parameters }: ModelLayer,
  values: ReadonlyMap<string, Floats>,
): { dims: readonly number[]; weights: Floats } {
  const [outputs = 1, ...rest] = parameters[0]?.shape ?? [];
  const signs = (values.get(`${name}/kernel`) ?? new Float32Array()).map((weight) => (weight < 0 ? -1 : 1));
  const [height, width = 1, channels = 1] = rest;
  if (rest.length === 1 || height === undefined) return { dims: [outputs, ...rest], weights: signs };
  return {
    dims: [outputs, channels, height, width],
    weights: swapLast(signs, outputs, height * width, channels),
  };
}

const [VARINT, LENGTH]: [WireType, WireType] = [0, 2];

type Attributes = Readonly<Record<string, number | readonly number[]>>;

function message(writer: BinaryWriter, field: number, body: (writer: BinaryWriter) => void): void {
  writer.tag(field, LENGTH).fork();
  body(writer);
  writer.join();
}

function attribute(writer: BinaryWriter, name: string, given: number | readonly number[]): void {
  const [type, field] = typeof given === 'number' ? [2, 3] : [7, 8];
  message(writer, 5, (inner) => {
    inner.tag(1, LENGTH).string(name);
    for (const entry of typeof given === 'number' ? [given] : given) inner.tag(field, VARINT).int64(entry);
    inner.tag(20, VARINT).int32(type);
  });
}

function initializer(writer: BinaryWriter, name: string, dims: readonly number[], values: Floats): void {
  message(writer, 5, (inner) => {
    for (const extent of dims) inner.tag(1, VARINT).int64(extent);
    inner.tag(2, VARINT).int32(1);
    inner.tag(8, LENGTH).string(name);
    inner.tag(9, LENGTH).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  });
}

function value(writer: BinaryWriter, field: number, name: string, dims: readonly number[]): void {
  message(writer, field, (info) => {
    info.tag(1, LENGTH).string(name);
    message(info, 2, (type) =>
      message(type, 1, (tensor) => {
        tensor.tag(1, VARINT).int32(1);
        message(tensor, 2, (shape) => {
          for (const extent of dims) {
            message(shape, 1, (dimension) => dimension.tag(1, VARINT).int64(extent));
          }
        });
      }),
    );
  });
}
