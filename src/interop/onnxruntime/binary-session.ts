/** A network of this library with the manners of a session of ONNX Runtime. */
import { DisposedError, OptionError, ShapeError } from '../../errors.ts';
import {
  type BoundRoutine,
  BUFFER_USAGE,
  describe,
  type Gpu,
  type Operand,
  Routine,
  type Shape,
  sizeOf,
  Tensor,
} from '../../gpu/index.ts';
import {
  assertOneInputAndOutput,
  type Model,
  Network,
  type ParameterValues,
  type Predictor,
} from '../../graph/index.ts';
import { permute } from '../../ops/movement.ts';
import { gpuOf, type OrtLike, type OrtTensor } from './runtime.ts';

/** A value by its name in the ONNX file, with its shape there. */
export interface NamedValue {
  /** Name in the ONNX file. */
  readonly name: string;
  /** The batch first, [batch, channels, height, width] or [batch, features]. */
  readonly dims: readonly number[];
  /** What each axis is, as `splitOnnx` says it. Default: channels second. */
  readonly layout?: string;
}

/** Names and shapes at the ends of the binary part. */
export interface BinarySessionOptions {
  /** What goes in: `input` of `splitOnnx`. Default: `input`, with the network's shape, channels first. */
  readonly input?: NamedValue;
  /** What comes out: `output` of `splitOnnx`. Default: `output`, with the network's shape, channels first. */
  readonly output?: NamedValue;
  /** Where to run. Default: ONNX Runtime's own device, without which its GPU tensors can't be used. */
  readonly gpu?: Gpu;
}

/** What runs a batch: ONNX' order of axes to the network's, the network, and back. */
interface Compiled {
  readonly predictor: Predictor;
  readonly into: Routine<'from' | 'to'>;
  readonly outOf: Routine<'from' | 'to'>;
  /** Of buffers that were seen before; ONNX Runtime uses its buffers again. */
  readonly taken: WeakMap<GPUBuffer, Bound>;
  readonly given: WeakMap<GPUBuffer, Bound>;
}

/** The buffers that ONNX Runtime needs tensors to be in. */
const OUTPUT_USAGE = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;

/** Binary layers as a session between two of ONNX Runtime Web, on its device. */
export class BinarySession<T extends OrtTensor = OrtTensor> {
  /** As ONNX Runtime's sessions have them. */
  readonly inputNames: readonly string[];
  /** As `InferenceSession` has them: one name. */
  readonly outputNames: readonly string[];
  /** What runs the layers. */
  readonly network: Network;
  readonly #ort: OrtLike<T>;
  readonly #input: NamedValue;
  readonly #output: NamedValue;
  readonly #compiled = new Map<number, Promise<Compiled>>();
  #released = false;

  private constructor(ort: OrtLike<T>, network: Network, input: NamedValue, output: NamedValue) {
    this.network = network;
    this.inputNames = [input.name];
    this.outputNames = [output.name];
    this.#ort = ort;
    this.#input = input;
    this.#output = output;
  }

  /**
   * Puts a network on ONNX Runtime's device, binary weights as packed bits.
   * @param ort the module: `import * as ort from 'onnxruntime-web/webgpu'`
   * @param loaded what `loadModel` or `importOnnx` gives
   * @throws DataUnavailableError where ONNX Runtime has no device; ShapeError where the named values have other sizes than
   *   the network's; OutOfMemoryError
   */
  static async create<T extends OrtTensor>(
    ort: OrtLike<T>,
    loaded: { readonly model: Model; readonly values: ParameterValues },
    options: BinarySessionOptions = {},
  ): Promise<BinarySession<T>> {
    const { model, values } = loaded;
    assertOneInputAndOutput(model, 'BinarySession.create');
    const input = options.input ?? { name: 'input', dims: channelsFirst(model.inputShape) };
    const output = options.output ?? { name: 'output', dims: channelsFirst(model.outputShape) };
    assertSize(input, model.inputShape);
    assertSize(output, model.outputShape);
    const gpu = options.gpu ?? (await gpuOf(ort));
    const network = await Network.create(gpu, model, { values, forInference: true });
    return new BinarySession(ort, network, input, output);
  }

  /**
   * Runs the network. What is submitted is in order with what ONNX Runtime submitted before and submits after.
   * @param feeds the input by its name; other tensors may be among them, and are left alone. On the GPU, float32; one on the
   *   host is copied to the GPU.
   * @param fetches a tensor on the GPU to write into, by the output's name; a new one when absent
   * @returns the output by its name, on the GPU: what the next session takes. Dispose a new one as any tensor.
   * @throws OptionError for a feed that is missing, disposed, of another type, elsewhere, or whose buffer can't be used;
   *   ShapeError for another shape or too small a buffer; GpuValidationError for a buffer of another device
   */
  async run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches: Readonly<Record<string, T>> = {},
  ): Promise<Record<string, T>> {
    if (this.#released) throw new DisposedError('This session was released.', { where: 'BinarySession' });
    const fed = feeds[this.#input.name];
    if (fed === undefined) {
      throw new OptionError('The input is missing.', {
        given: Object.keys(feeds).join(', ') || 'nothing',
        expected: this.#input.name,
        where: 'BinarySession.run',
      });
    }
    const batch = this.#batchOf(fed, this.#input);
    const { predictor, into, outOf, taken, given } = await this.#compile(batch);
    const { gpu } = this.network;

    const dims = [batch, ...this.#output.dims.slice(1)];
    const fetched = fetches[this.#output.name];
    if (fetched !== undefined && this.#batchOf(fetched, this.#output) !== batch) {
      throw wrongShape(fetched, dims, this.#output);
    }
    const result = fetched ?? this.#newOutput(dims);
    let uploaded: ReturnType<Gpu['createBuffer']> | undefined;
    try {
      if (fed.location === 'cpu') uploaded = this.#upload(fed);
      const source = uploaded?.buffer ?? bufferOf(fed, this.#input);
      const target = bufferOf(result, this.#output);
      const { input, output, program } = predictor;
      let first: Bound;
      let last: Bound;
      do {
        first = await bound(taken, into, source, input, (own) => ({ from: source, to: own }));
        last = await bound(given, outOf, target, output, (own) => ({ from: own, to: target }));
        // Another batch that is compiled meanwhile may move the network's memory.
      } while (first.own !== input.placement.buffer || last.own !== output.placement.buffer);
      // From here on nothing waits, so that two calls at once don't mix.
      const encoder = gpu.encoder(this.network.model.name);
      first.routine.encode(encoder);
      program.encode(encoder);
      last.routine.encode(encoder);
      gpu.submit(encoder);
      return { [this.#output.name]: result };
    } catch (cause) {
      if (result !== fetched) result.dispose();
      throw cause;
    } finally {
      uploaded?.release();
    }
  }

  /** Frees the network's memory, as ONNX Runtime's sessions do; tensors that it gave stay. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    if (!this.network.gpu.disposed) this.network.dispose();
  }

  /** A copy on the GPU. */
  #upload(tensor: OrtTensor): ReturnType<Gpu['createBuffer']> {
    const { gpu } = this.network;
    const { data } = tensor;
    if (!(data instanceof Float32Array)) throw wrongType(tensor, this.#input);
    const made = gpu.createBuffer(
      this.#input.name,
      data.byteLength,
      BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_DST,
    );
    // A copy, since that of a WebAssembly with threads is shared memory, which not every queue takes.
    const copied = new Uint8Array(Float32Array.from(data).buffer);
    gpu.writeBuffer(this.#input.name, made.buffer, 0, copied);
    return made;
  }

  #newOutput(dims: Shape): T {
    const { buffer, release } = this.network.gpu.createBuffer(
      this.#output.name,
      4 * sizeOf(dims),
      OUTPUT_USAGE,
    );
    return this.#ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims, dispose: release });
  }

  #compile(batch: number): Promise<Compiled> {
    let compiled = this.#compiled.get(batch);
    if (compiled === undefined) {
      compiled = this.#compileNow(batch);
      this.#compiled.set(batch, compiled);
      compiled.catch(() => this.#compiled.delete(batch));
    }
    return compiled;
  }

  async #compileNow(batch: number): Promise<Compiled> {
    const { gpu } = this.network;
    const predictor = await this.network.predictor(batch);
    const moved = (label: string, dims: Shape, order: readonly number[]) =>
      new Routine(gpu, label, (b) => {
        const from = new Tensor('from', dims, 'f32');
        return { from, to: permute(b, from, order) };
      });
    const into = moved('channels last', [batch, ...this.#input.dims.slice(1)], toLast(this.#input));
    const last = toLast(this.#output);
    const inOwnOrder = last.map((axis) => (axis === 0 ? batch : (this.#output.dims[axis] ?? 1)));
    const outOf = moved(
      "the file's order",
      inOwnOrder,
      last.map((_, axis) => last.indexOf(axis)),
    );
    await Promise.all([into.compile(), outOf.compile()]);
    return { predictor, into, outOf, taken: new WeakMap(), given: new WeakMap() };
  }

  /** The batch of a tensor with the shape that is expected. */
  #batchOf(tensor: OrtTensor, value: NamedValue): number {
    const [batch = 0, ...rest] = tensor.dims;
    const expected = value.dims.slice(1);
    const fits = rest.length === expected.length && rest.every((extent, axis) => extent === expected[axis]);
    if (!fits || batch < 1) throw wrongShape(tensor, ['batch', ...expected], value);
    return batch;
  }
}

/** The axes of a value in the network's order, channels last, as `permute` takes it. */
function toLast({ dims, layout }: NamedValue): number[] {
  const channels = layout === undefined ? 1 : layout.indexOf('C');
  const others = dims.map((_, axis) => axis).filter((axis) => axis !== channels);
  return channels < 0 ? others : [...others, channels];
}

const channelsFirst = (shape: Shape) => [0, shape.at(-1) ?? 1, ...shape.slice(0, -1)];

function assertSize({ name, dims }: NamedValue, shape: Shape): void {
  const own = dims.slice(1);
  if (dims.length < 2 || dims.length > 5 || sizeOf(own) !== sizeOf(shape)) {
    throw new ShapeError('A named value has another size than what the network has there.', {
      given: `[${dims.join(', ')}]`,
      expected: `[batch, channels, ...], for ${describe(shape)} with channels last`,
      where: name,
    });
  }
}

/** A routine, and where the network's own operand lay when it was bound. */
interface Bound {
  readonly own: GPUBuffer;
  readonly routine: BoundRoutine;
}

/** Where a routine was bound to a buffer before, that again, unless the network's own operand has moved. */
async function bound(
  known: WeakMap<GPUBuffer, Bound>,
  routine: Routine<'from' | 'to'>,
  buffer: GPUBuffer,
  own: Tensor,
  operandsOf: (own: Operand) => Readonly<Record<'from' | 'to', Operand>>,
): Promise<Bound> {
  const { placement } = own;
  const before = known.get(buffer);
  if (before?.own === placement.buffer) return before;
  const made = { own: placement.buffer, routine: await routine.bind(operandsOf(placement)) };
  known.set(buffer, made);
  return made;
}

/** The buffer of a tensor. @throws OptionError */
function bufferOf(tensor: OrtTensor, { name }: NamedValue): GPUBuffer {
  if (tensor.location !== 'gpu-buffer') {
    const isGone = tensor.location === 'none';
    throw new OptionError(isGone ? 'This tensor was disposed.' : 'This tensor is not on the GPU.', {
      given: `location ${tensor.location}`,
      expected: 'gpu-buffer',
      where: name,
      remedy: isGone
        ? 'dispose it after the run'
        : "create the session before with preferredOutputLocation: 'gpu-buffer', or the tensor with fromGpuBuffer",
    });
  }
  if (tensor.type !== 'float32') throw wrongType(tensor, { name });
  return tensor.gpuBuffer as GPUBuffer;
}

function wrongType(tensor: OrtTensor, { name }: Pick<NamedValue, 'name'>): OptionError {
  return new OptionError('Networks take and give float32.', {
    given: tensor.type,
    expected: 'float32',
    where: name,
  });
}

function wrongShape(
  tensor: OrtTensor,
  expected: readonly (number | string)[],
  { name }: NamedValue,
): ShapeError {
  return new ShapeError('A tensor has another shape than the network takes or gives.', {
    given: `[${tensor.dims.join(', ')}]`,
    expected: `[${expected.join(', ')}]`,
    where: name,
  });
}
