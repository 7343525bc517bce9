/** How a layer is asked to record itself as steps. */
import { FormatError } from '../../errors.ts';
import { describe, type Shape } from '../../gpu/index.ts';
import { floatValue, type ModelLayer, type ParameterValues, packedValue } from '../../graph/index.ts';
import type { Recorder, Value } from '../program.ts';

/** A layer with its parameters. */
export class Lowering {
  readonly recorder: Recorder;
  readonly entry: ModelLayer;
  readonly #values: ParameterValues;

  constructor(recorder: Recorder, entry: ModelLayer, values: ParameterValues) {
    this.recorder = recorder;
    this.entry = entry;
    this.#values = values;
  }

  get name(): string {
    return this.entry.name;
  }

  get config(): Readonly<Record<string, unknown>> {
    return this.entry.layer.config;
  }

  get outputShape(): Shape {
    return this.entry.outputShape;
  }

  has(parameter: string): boolean {
    return this.entry.parameters.some(({ name }) => name === parameter);
  }

  specOf(parameter: string): ModelLayer['parameters'][number] {
    const spec = this.entry.parameters.find(({ name }) => name === parameter);
    if (spec !== undefined) return spec;
    throw new FormatError('The layer has no such parameter.', { given: parameter, where: this.name });
  }

  /** Values of a parameter as reals. */
  reals(parameter: string): Float32Array {
    const { shape } = this.specOf(parameter);
    return floatValue(this.#given(parameter), shape, `${this.name}/${parameter}`);
  }

  /** Signs of a binary parameter, packed. */
  signs(parameter: string): Uint32Array {
    const { shape, quantizer } = this.specOf(parameter);
    return packedValue(this.#given(parameter), shape, `${this.name}/${parameter}`, quantizer).words;
  }

  #given(parameter: string) {
    const { shape } = this.specOf(parameter);
    const value = this.#values.get(`${this.name}/${parameter}`);
    if (value !== undefined) return value;
    throw new FormatError('A parameter is missing.', {
      given: `${this.name}/${parameter}`,
      expected: describe(shape),
    });
  }
}

/** Records a layer. @returns what flows out */
export type Lower = (layer: Lowering, inputs: readonly Value[]) => Value;
