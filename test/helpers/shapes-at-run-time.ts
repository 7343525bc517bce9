/**
 * Kernels that read their shapes from a buffer. Shapes are constants of a pipeline, and to compile one takes far longer
 * than a small case does; so this is how a grid runs every kernel on every case: the same WGSL in which `override`s are
 * functions, one pipeline a kernel.
 */
import { type Access, type KernelSpec, ProgramBuilder, type Tensor } from '../../src/gpu/index.ts';
import { loadShader } from '../../src/gpu/kernel.ts';

/** A builder whose dispatches share pipelines, whatever their shapes. What it takes for the shapes is its own. */
export class ShapesAtRunTime extends ProgramBuilder {
  readonly #shapes: Tensor[] = [];

  override dispatch<B extends Readonly<Record<string, Access>>, C extends string>(
    kernel: KernelSpec<B, C>,
    bindings: { readonly [K in keyof B]: Tensor },
    constants: Readonly<Record<C, number>>,
  ): void {
    const name = `${kernel.name} with its shapes at run time`;
    // As reals, whatever their types: they are exact below 2^24.
    const values = Float32Array.from(kernel.constants, (name) => constants[name]);
    const shape = this.gpu.tensor('shape', [values.length], 'f32', values);
    this.#shapes.push(shape);
    super.dispatch(
      {
        name,
        source: async () => {
          const text = await loadShader(kernel as unknown as KernelSpec);
          return { default: { [`./${name}.wgsl`]: shapesFromBuffer(text, kernel) } };
        },
        bindings: { ...kernel.bindings, shape: 'read' },
        constants: [],
        workgroups: () => kernel.workgroups(constants),
      },
      { ...bindings, shape } as { readonly [K in keyof B | 'shape']: Tensor },
      {},
    );
  }

  [Symbol.dispose](): void {
    for (const shape of this.#shapes) shape.dispose();
  }
}

const OVERRIDE = /^override (\w+)(?:: (\w+))?(?: = (.*))?;.*$/gm;

/** WGSL with functions where it has overrides: those of the host read the buffer, the others compute as before. */
export function shapesFromBuffer(
  text: string,
  { constants, bindings, fixed = {} }: Pick<KernelSpec, 'constants' | 'bindings' | 'fixed'>,
): string {
  const names = [...text.matchAll(OVERRIDE)].map(([, name = '']) => name);
  const declarations = [...text.matchAll(OVERRIDE)].map(([, name = '', type = 'u32', expression]) => {
    const value = fixed[name]?.toString() ?? expression ?? `${type}(shape[${constants.indexOf(name)}])`;
    return `fn ${name}() -> ${type} { return ${called(value, names)}; }`;
  });
  return [
    called(text.replace(OVERRIDE, '').replace(/\/\/.*$/gm, ''), names),
    `@group(0) @binding(${Object.keys(bindings).length}) var<storage, read> shape: array<f32>;`,
    ...declarations,
  ].join('\n');
}

function called(text: string, names: readonly string[]): string {
  return names.length === 0 ? text : text.replace(new RegExp(`\\b(${names.join('|')})\\b`, 'g'), '$1()');
}
