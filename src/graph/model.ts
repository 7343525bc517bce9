/** What a model is: pure description. `build.ts` makes one; `Network` gives it weights on a GPU. */
import { listed, OptionError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';
import type { Layer, ParameterSpec } from '../layers/index.ts';

/** A layer in a model, with its name and the places its inputs come from. */
export interface ModelLayer {
  /** Unique in the model; parameters are called `name/parameter`. */
  readonly name: string;
  /** What it computes. */
  readonly layer: Layer;
  /** Index of each input: a layer of the model, or −1 for the model's first input, −2 for its second, and so on. */
  readonly inputs: readonly number[];
  /** Without the batch axis, one for each input. */
  readonly inputShapes: readonly Shape[];
  /** Without the batch axis. */
  readonly outputShape: Shape;
  /** What it learns or keeps, before it has values. */
  readonly parameters: readonly ParameterSpec[];
}

/** What goes into a model, without the batch axis. */
export interface ModelInput {
  /** By it, samples are given to a model with several inputs. */
  readonly name: string;
  /** Without the batch axis. */
  readonly shape: Shape;
}

/** What comes out of a model. */
export interface ModelOutput extends ModelInput {
  /** Index of the layer whose result it is. */
  readonly from: number;
}

/** A graph of layers between inputs and outputs, with all shapes known. */
export interface Model {
  /** What it is called in files and reports. */
  readonly name: string;
  /** In the order in which samples are given. */
  readonly inputs: readonly ModelInput[];
  /** In the order in which results come. */
  readonly outputs: readonly ModelOutput[];
  /** Of the first input. */
  readonly inputShape: Shape;
  /** Of the first output. */
  readonly outputShape: Shape;
  /** In an order in which every layer comes after its inputs; where there is one output, the last one is it. */
  readonly layers: readonly ModelLayer[];
  /** A table of shapes, 1-bit and 32-bit parameters, bytes and multiply-accumulates. */
  summary(): string;
}

/** @throws OptionError where a model has several inputs or outputs, and only one of each can be worked with */
export function assertOneInputAndOutput({ inputs, outputs, name }: Model, where: string): void {
  if (inputs.length === 1 && outputs.length === 1) return;
  const namesOf = (ends: readonly ModelInput[]) =>
    listed(ends.map((end) => `${end.name} ${describe(end.shape)}`));
  throw new OptionError('This takes a model with one input and one output.', {
    given: `${name}: inputs ${namesOf(inputs)}; outputs ${namesOf(outputs)}`,
    where,
    remedy:
      'make a model of the part between one input and one output, or run it whole: Network.predict({ name: samples })',
  });
}
