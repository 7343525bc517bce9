/**
 * A network: a model with parameters on a GPU. Parameters are declared when the network is made, so that a memory plan
 * can count them, and get their memory with `allocate`.
 */

import { DISPOSE, Owner } from '../dispose.ts';
import {
  type BnnError,
  DisposedError,
  FormatError,
  GpuValidationError,
  MemoryPlanError,
  OptionError,
} from '../errors.ts';
import {
  Arena,
  assertGpu,
  Gpu,
  type Program,
  ProgramBuilder,
  type Reals,
  runOnce,
  sizeOf,
  Tensor,
} from '../gpu/index.ts';
import { declareParameter, type Parameter, type ParameterSpec } from '../layers/index.ts';
import { deriveRows } from '../layers/rows.ts';
import { normal, STREAMS, uniform01 } from '../numerics/random.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { assertKnownOptions, assertModel, unknownName } from '../options.ts';
import type { Model } from './model.ts';
import { takeOutParametersOnly } from './parameters-only.ts';
import { recordPass } from './record.ts';
import { type NamedSamples, resultsFor, wholeSamples } from './samples.ts';
import {
  assertValue,
  digestOf,
  floatValue,
  isPacked,
  type ParameterValue,
  type ParameterValues,
  packedValue,
} from './values.ts';

/** What a network is made for. */
export interface NetworkOptions {
  /**
   * The network is only run, never trained: binary parameters exist as packed bits alone, one bit a weight, and their
   * latent weights have no memory. Default false.
   */
  readonly forInference?: boolean;
}

/** Samples that `predict` may run at once, the most first. */
const CHUNKS = [100, 10, 1] as const;

/** Latent weights that stand for signs: the weights that the layer multiplies with. */
function latentsOf(
  given: ParameterValue,
  { name, spec }: Parameter,
  values: ParameterValues,
): Float32Array<ArrayBuffer> {
  const length = sizeOf(spec.shape) / (spec.shape[0] ?? 1);
  const beside = (ending: string) => {
    const own = values.get(`${name}${ending}`);
    return own instanceof Float32Array ? own : undefined;
  };
  const made = new Float32Array(sizeOf(spec.shape));
  for (let plane = 0; plane < (spec.quantizer?.row?.planes ?? 1); plane++) {
    const own = plane === 0 ? given : values.get(`${name}Plane${plane}`);
    if (own === undefined) continue;
    const ending = plane === 0 ? '' : String(plane);
    const [scale, offset] = [beside(`Scale${ending}`), beside(`Offset${ending}`)];
    for (const [i, sign] of floatValue(own, spec.shape, name).entries()) {
      const filter = Math.floor(i / length);
      made[i] = (made[i] ?? 0) + sign * (scale?.[filter] ?? 1) + (offset?.[filter] ?? 0);
    }
  }
  return made;
}

/** A model with its parameters on a GPU. */
export class Network extends Owner {
  /** Where its parameters are. */
  readonly gpu: Gpu;
  /** Its layers. */
  readonly model: Model;
  /** Whether binary parameters are packed bits only. */
  readonly forInference: boolean;
  /** By `layer/parameter`, in the model's order. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Memory that the programs on this network share, since they never run at the same time. */
  readonly arena: Arena;
  /** By batch; a promise, so that calls at the same time share one. They all work in the arena. */
  readonly #predictors = new Map<number, Promise<Predictor>>();
  readonly #compiled: Program[] = [];
  /** Samples that `predict` runs at once, at most. */
  #mostAtOnce: number = CHUNKS[0];
  /** What predictors read that depends on parameters alone: the same for every batch. */
  readonly #prepared = new Map<string, Tensor>();
  /** Make it; they run when parameters are loaded. */
  readonly #preparations: Program[] = [];
  #lastCompiled: Promise<unknown> = Promise.resolve();
  /** Why the parameters are not to be used. */
  #spoilt: BnnError | undefined;
  #disposed = false;

  /** Declares a network; nothing is allocated before `allocate`. */
  constructor(gpu: Gpu, model: Model, options: NetworkOptions = {}) {
    super();
    this.gpu = gpu;
    this.model = model;
    this.forInference = options.forInference ?? false;
    this.arena = new Arena(gpu);
    this.parameters = new Map(
      model.layers.flatMap(({ name, parameters }) =>
        parameters
          .map((spec) => declareParameter(name, spec))
          .map((parameter) => [parameter.name, parameter]),
      ),
    );
  }

  /**
   * A network with weights drawn from `seed`, or with given ones.
   * @throws what `load` throws, when values are given
   */
  static async create(
    gpu: Gpu,
    model: Model,
    options: NetworkOptions & { readonly seed?: number; readonly values?: ParameterValues } = {},
  ): Promise<Network> {
    assertGpu(gpu, 'Network.create');
    assertModel(model, 'Network.create');
    assertKnownOptions(options, ['forInference', 'seed', 'values'], 'Network.create');
    const network = new Network(gpu, model, options);
    try {
      await network.allocate();
      await network.load(options.values ?? initialValues(model, options.seed ?? 0));
      return network;
    } catch (cause) {
      network.dispose();
      throw cause;
    }
  }

  /** Bytes the parameters take on the GPU. */
  get parameterBytes(): number {
    return this.#tensors().reduce((sum, tensor) => sum + Gpu.allocatedBytes(tensor.byteLength), 0);
  }

  /** Binary parameters in the model's order: what has a geometry. */
  get binaryParameters(): readonly Parameter[] {
    return [...this.parameters.values()].filter(({ spec }) => spec.role === 'binary' && !spec.derived);
  }

  /** Gives every parameter its memory. @throws OutOfMemoryError */
  async allocate(): Promise<void> {
    await this.gpu.scoped(`parameters of ${this.model.name}`, () => {
      for (const tensor of this.#tensors()) this.gpu.allocate(tensor);
    });
  }

  /**
   * Sets parameters and renews the packed mirrors. Packed signs become latent weights of ±1, unless the network is for
   * inference.
   * @throws FormatError when a parameter is missing or unknown, ShapeError when one has another size
   */
  async load(values: ParameterValues): Promise<void> {
    const unknown = [...values.keys()].filter((name) => !this.parameters.has(name));
    const missing = [...this.parameters.keys()].filter((name) => !values.has(name));
    if (unknown.length > 0 || missing.length > 0) {
      throw new FormatError("These parameters aren't those of the model.", {
        given:
          unknown.length > 0
            ? `unknown: ${unknown.slice(0, 5).join(', ')}`
            : `missing: ${missing.slice(0, 5).join(', ')}`,
        expected: `${this.parameters.size} parameters of ${this.model.name}`,
        where: this.model.name,
        remedy: 'build the same model that the values come from',
      });
    }
    await this.write(values);
  }

  /**
   * Sets some parameters and renews the packed mirrors; the others stay as they are.
   * @throws OptionError for a name of none, ShapeError when one has another size
   */
  async write(values: ParameterValues): Promise<void> {
    // Everything is checked before anything is written.
    const derived = new Map<Parameter, Tensor>();
    const writes = [...values].map(([key, given]) => {
      const parameter = this.#parameter(key);
      const { name, spec, value, packed } = parameter;
      assertValue(given, spec, name);
      if (packed !== undefined && spec.derived === true) {
        // As floats, they come with latent weights that they are derived of anew.
        const { words } = packedValue(given, spec.shape, name);
        return () => this.gpu.write(packed, words);
      }
      const isRow = packed !== undefined && spec.quantizer?.row !== undefined;
      if (packed !== undefined && (isRow ? isPacked(given) : this.forInference)) {
        // With the scales and offsets that came with them: latent weights of ±1 would give others.
        const { words } = packedValue(given, spec.shape, name);
        const latent = this.forInference ? undefined : latentsOf(given, parameter, values);
        return () => {
          this.gpu.write(packed, words);
          if (latent !== undefined) this.gpu.write(value, latent);
        };
      }
      const floats = floatValue(given, spec.shape, name);
      if (packed === undefined) return () => this.gpu.write(value, floats);
      const latent = this.forInference ? new Tensor(`${name} (latent)`, spec.shape, 'f32') : value;
      derived.set(parameter, latent);
      return () => {
        if (latent !== value) this.gpu.allocate(latent);
        this.gpu.write(latent, floats);
      };
    });
    for (const parameter of this.forInference ? [] : this.binaryParameters) {
      const { name, value } = parameter;
      // What is derived follows what is learned, too.
      if (values.has(`${name}Learned`) && !values.has(name)) derived.set(parameter, value);
    }
    this.spoil(
      new GpuValidationError('Parameters were loaded by half: a fault of the device came between.', {
        where: this.model.name,
        remedy: 'load them again',
      }),
    );
    try {
      await this.gpu.scoped(`parameters of ${this.model.name}`, () => {
        for (const write of writes) write();
      });
      await this.#derive(derived);
    } finally {
      if (this.forInference) for (const latent of derived.values()) latent.dispose();
    }
    await this.#prepareAgain();
  }

  #parameter(name: string): Parameter {
    const parameter = this.parameters.get(name);
    if (parameter !== undefined) return parameter;
    throw unknownName('parameter', name, [...this.parameters.keys()], this.model.name);
  }

  /** Says that the parameters are not to be used, since they are neither the old ones nor the new ones, before `renew`. */
  spoil(cause: BnnError): void {
    this.#spoilt = cause;
  }

  /** Derives what depends on parameters once all of them were written. */
  async renew(): Promise<void> {
    await this.repack();
    await this.#prepareAgain();
  }

  async #prepareAgain(): Promise<void> {
    await this.gpu.scoped(`prepare ${this.model.name}`, () => {
      for (const preparation of this.#preparations) preparation.run();
    });
    this.#spoilt = undefined;
  }

  /**
   * Derives every packed mirror from its latent weights, and what quantizers make of rows; a network for inference has none to
   * derive it from.
   */
  async repack(): Promise<void> {
    if (this.forInference) return;
    await this.#derive(new Map(this.binaryParameters.map((parameter) => [parameter, parameter.value])));
  }

  /** @param latents the latent weights of each binary parameter */
  async #derive(latents: ReadonlyMap<Parameter, Tensor>): Promise<void> {
    if (latents.size === 0) return;
    const packing = await runOnce(this.gpu, 'pack weights', (builder) => {
      for (const [parameter, latent] of latents) {
        const { name, packed, spec } = parameter;
        if (packed === undefined) continue;
        if (spec.quantizer?.row?.hasArgument !== true) packSigns(builder, latent, { out: packed });
        deriveRows(builder, parameter, (ending) => this.parameters.get(`${name}${ending}`), { latent });
      }
    });
    packing[DISPOSE]();
  }

  /** Parameters on the host, as floats; binary ones of a network for inference are ±1. */
  async values(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    this.#assertWhole();
    const values = new Map<string, Float32Array<ArrayBuffer>>();
    for (const { name, spec, value, packed } of this.parameters.values()) {
      values.set(
        name,
        (this.forInference || spec.derived === true) && packed !== undefined
          ? floatValue({ words: await this.gpu.readWords(packed), shape: spec.shape }, spec.shape, name)
          : await this.gpu.readFloats(value),
      );
    }
    return values;
  }

  /** Parameters on the host as inference needs them: binary ones as packed signs, the others as floats. */
  async packedValues(): Promise<Map<string, ParameterValue>> {
    this.#assertWhole();
    const values = new Map<string, ParameterValue>();
    for (const { name, spec, value, packed } of this.parameters.values()) {
      values.set(
        name,
        packed === undefined
          ? await this.gpu.readFloats(value)
          : { words: await this.gpu.readWords(packed), shape: spec.shape },
      );
    }
    return values;
  }

  /**
   * SHA-256 of all parameters, packed mirrors included, in the model's order: equal hashes, equal networks (of one kind:
   * a network for inference lacks the latent weights that a trained one has).
   * @returns 64 hexadecimal digits
   */
  async hash(): Promise<string> {
    this.#assertWhole();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const tensor of this.#tensors()) parts.push(new Uint8Array(await this.gpu.readBytes(tensor)));
    return digestOf(parts);
  }

  /**
   * The network compiled for a batch, for who has samples on the GPU already: fill `input`, encode or run `program`, take
   * `output`, without waiting in between, since all programs of the network work in the same memory. It belongs to the
   * network, which makes one for each batch, and frees it; memory grows with the largest batch, not with their number.
   * @param batch samples that run at once
   * @throws OptionError unless a whole number of samples is asked for; MemoryPlanError, OutOfMemoryError
   */
  predictor(batch: number): Promise<Predictor> {
    if (!Number.isSafeInteger(batch) || batch < 1) {
      return Promise.reject(
        new OptionError('A batch is a whole number of samples.', {
          given: String(batch),
          expected: '1 or more',
          where: this.model.name,
        }),
      );
    }
    let predictor = this.#predictors.get(batch);
    if (predictor === undefined) {
      // One after another, since a later one reads what an earlier one prepares.
      predictor = this.#lastCompiled.then(() => this.#compilePredictor(batch));
      this.#lastCompiled = predictor.catch(() => undefined);
      this.#predictors.set(batch, predictor);
      predictor.catch(() => this.#predictors.delete(batch));
    }
    return predictor;
  }

  /**
   * Runs the network on samples, in inference mode. Samples run in chunks of a few sizes, so that what is compiled for one
   * count of them serves the others.
   * @param samples reals [count, ...inputShape], normalised as in training; of a network with several inputs or outputs, a
   *   list in the order of `model.inputs`, or by their names
   * @returns f32 [count, ...outputShape]; for a list or names, each output by its name
   * @throws ShapeError unless whole samples of reals are given, as many of each input; OptionError for names of no input, and
   *   for one array where there are several inputs or outputs
   * @example const { scores, features } = await network.predict({ image, mask });
   */
  async predict(samples: Reals): Promise<Float32Array<ArrayBuffer>>;
  async predict(samples: NamedSamples): Promise<Record<string, Float32Array<ArrayBuffer>>>;
  async predict(
    samples: Reals | NamedSamples,
  ): Promise<Float32Array<ArrayBuffer> | Record<string, Float32Array<ArrayBuffer>>> {
    this.#assertWhole();
    const { outputs } = this.model;
    const { given, count, sizes } = wholeSamples(this.model, samples);
    const { chunk, predictor } = await this.#predictorFor(Math.min(chunkFor(count), this.#mostAtOnce));
    const results = outputs.map(({ shape }) => new Float32Array(count * sizeOf(shape)));
    const waiting: Promise<void>[] = [];
    /** Runs the samples from `first` on. Of the last chunk, samples that were not given are run too, and left out. */
    const run = async (first: number) => {
      const end = Math.min(first + chunk, count);
      const samplesHere = given.map((values, i) =>
        values.subarray(first * (sizes[i] ?? 1), end * (sizes[i] ?? 1)),
      );
      const made = await this.#run(predictor, samplesHere);
      made.forEach((values, i) => {
        const size = values.length / chunk;
        results[i]?.set(values.subarray(0, (end - first) * size), first * size);
      });
    };
    try {
      for (let first = 0; first < count; first += chunk) {
        const running = run(first);
        // Awaited in turn; a failure before that must not count as unhandled.
        running.catch(() => undefined);
        waiting.push(running);
        if (waiting.length >= IN_FLIGHT) await waiting.shift();
      }
      await Promise.all(waiting);
    } finally {
      await Promise.allSettled(waiting);
    }
    return resultsFor(samples, this.model, results);
  }

  /** A predictor of so many samples, or of fewer where the device can't hold so many at once. */
  async #predictorFor(chunk: number): Promise<{ readonly chunk: number; readonly predictor: Predictor }> {
    try {
      return { chunk, predictor: await this.predictor(chunk) };
    } catch (cause) {
      const fewer = CHUNKS.find((other) => other < chunk);
      if (fewer === undefined || !(cause instanceof MemoryPlanError)) throw cause;
      this.#mostAtOnce = Math.min(this.#mostAtOnce, fewer);
      return this.#predictorFor(fewer);
    }
  }

  /** Submits one run and waits for what it gives; what WebGPU says against it is thrown here. */
  async #run(
    { inputs, outputs, program }: Predictor,
    samples: readonly Float32Array<ArrayBuffer>[],
  ): Promise<Float32Array<ArrayBuffer>[]> {
    let made: Promise<Float32Array<ArrayBuffer>[]> = Promise.resolve([]);
    try {
      await this.gpu.scoped(program.label, () => {
        inputs.forEach((input, i) => {
          this.gpu.write(input, samples[i] ?? []);
        });
        program.run();
        made = Promise.all(outputs.map((output) => this.gpu.readFloats(output)));
        // Awaited below; a rejection before that must not count as unhandled.
        made.catch(() => undefined);
      });
      return await made;
    } finally {
      // Nothing is under way any more when this is over, however it went.
      await made.catch(() => undefined);
    }
  }

  /** Frees all memory of the network. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) {
      throw new DisposedError('This network was disposed already.', { where: this.model.name });
    }
    this.#disposed = true;
    for (const program of [...this.#compiled, ...this.#preparations]) program.dispose();
    this.arena.dispose();
    for (const tensor of this.#tensors()) if (tensor.isPlaced) tensor.dispose();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  async #compilePredictor(batch: number): Promise<Predictor> {
    this.#assertUsable();
    const builder = new ProgramBuilder(this.gpu, `predict ${this.model.name}`);
    const inputs = this.model.inputs.map(({ name, shape }) => builder.input(name, [batch, ...shape], 'f32'));
    // What depends on parameters alone has memory of its own, and runs when they are loaded.
    const preparing = new ProgramBuilder(this.gpu, `prepare ${this.model.name}`);
    const prepared = new Map<string, Tensor>();
    builder.rewrite(takeOutParametersOnly(this.parameters.values(), this.#prepared, preparing, prepared));
    const pass = recordPass(builder, this.model, this.parameters, inputs, { training: false });
    const outputs = pass.outputs.map(({ kind, tensor }) =>
      builder.keep(kind === 'real' ? tensor : unpackSigns(builder, tensor)),
    );
    const [[input], [output]] = [inputs, outputs];
    if (input === undefined || output === undefined) {
      throw new OptionError('A network has an input and an output.', { where: this.model.name });
    }
    builder.plan();
    if (prepared.size > 0) {
      const preparation = await preparing.compile();
      this.#disposeIfLate(preparation);
      this.#preparations.push(preparation);
      await this.#prepare([preparation]).catch((cause: unknown) => {
        this.#preparations.splice(this.#preparations.indexOf(preparation), 1);
        if (!this.#disposed) preparation.dispose();
        throw cause;
      });
      for (const [label, made] of prepared) this.#prepared.set(label, made);
    }
    const program = await builder.compile({ arena: this.arena });
    this.#disposeIfLate(program);
    this.#compiled.push(program);
    return { input, output, inputs, outputs, program };
  }

  async #prepare(preparations: readonly Program[]): Promise<void> {
    await this.gpu.scoped(`preparing ${this.model.name}`, () => {
      for (const preparation of preparations) preparation.run();
    });
  }

  /** What became ready after the network was disposed goes at once. @throws DisposedError */
  #disposeIfLate(program: Program): void {
    if (this.#disposed) program.dispose();
    this.#assertUsable();
  }

  #assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This network was disposed.', { where: this.model.name });
  }

  /** @throws what `spoil` was given */
  #assertWhole(): void {
    if (this.#spoilt !== undefined) throw this.#spoilt;
  }

  #tensors(): Tensor[] {
    return [...this.parameters.values()].flatMap(({ spec, value, packed }) => {
      if (packed === undefined) return [value];
      return this.forInference || spec.derived === true ? [packed] : [value, packed];
    });
  }
}

/** A network compiled for a batch. */
export interface Predictor {
  /** The first of `inputs`. */
  readonly input: Tensor;
  /** The first of `outputs`. */
  readonly output: Tensor;
  /** f32 [batch, ...shape] of each input of the model, to be filled before each run. */
  readonly inputs: readonly Tensor[];
  /** f32 [batch, ...shape] of each output of the model; overwritten by the next run. */
  readonly outputs: readonly Tensor[];
  /** What runs, from the inputs to the outputs. */
  readonly program: Program;
}

/** Chunks that may be under way at once, so that a host which is slow to say that one is done holds up few. */
const IN_FLIGHT = 4;

/** The chunks that so many samples run in: the largest that they fill by half. */
function chunkFor(count: number): number {
  return CHUNKS.find((chunk) => 2 * count >= chunk) ?? 1;
}

/**
 * Initial values of every parameter, drawn from the seed: the same on every machine.
 * @example
 * ```ts
 * import { initialValues, mlp } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const values = initialValues(network, 1); // of seed 1, by names such as 'quantDense_1/kernel'
 * console.log([...values.keys()]);
 * ```
 */
export function initialValues(model: Model, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  assertModel(model, 'initialValues');
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name, parameters } of model.layers) {
    for (const spec of parameters) {
      // One stream of random numbers a parameter, by its place in the model.
      values.set(`${name}/${spec.name}`, drawParameter(spec, seed, STREAMS.initial + values.size));
    }
  }
  return values;
}

function drawParameter(spec: ParameterSpec, seed: number, stream: number): Float32Array<ArrayBuffer> {
  const count = sizeOf(spec.shape);
  const { initializer, fanIn, fanOut } = spec;
  const uniform = (limit: number) => (index: number) => limit * (2 * uniform01(seed, stream, index) - 1);
  const gaussian = (deviation: number) => (index: number) => deviation * normal(seed, stream, index);
  const draw = {
    uniform: () => uniform('limit' in initializer ? initializer.limit : 1),
    glorotUniform: () => uniform(Math.sqrt(6 / (fanIn + fanOut))),
    glorotNormal: () => gaussian(Math.sqrt(2 / (fanIn + fanOut))),
    heNormal: () => gaussian(Math.sqrt(2 / fanIn)),
    normal: () => gaussian('deviation' in initializer ? initializer.deviation : 1),
    constant: () => () => ('value' in initializer ? initializer.value : 0),
    identity: () => (index: number) => (index % ((spec.shape.at(-1) ?? 1) + 1) === 0 ? 1 : 0),
    rows: () => (index: number) =>
      'values' in initializer ? (initializer.values[index % initializer.values.length] ?? 0) : 0,
  }[initializer.kind]();
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = draw(index);
  return values;
}
