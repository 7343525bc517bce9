/** Larq's optimizers (larq/optimizers.py). */
import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { OptionError } from '../../errors.ts';

type NamedTensor = Awaited<ReturnType<tf.Optimizer['getWeights']>>[number];
type Gradients = tf.NamedTensorMap | NamedTensor[];

/** Variables whose layer quantizes them to one bit. */
const binary = new WeakSet<tf.Tensor>();

/** Notes that a layer's variable has one bit a value. */
export function markBinary(variable: LayerVariable): void {
  binary.add(variable.read());
}

/** A number that may change while training goes on: give a function of the step for a schedule. */
export type Hyper = number | ((step: number) => number);

/** Numbers of `Bop`, as in Larq. */
export interface BopOptions {
  /** Magnitude of the average gradient that flips a weight; 1e-8 when absent. */
  readonly threshold?: Hyper | undefined;
  /** How fast the average follows the gradient; 1e-4 when absent. */
  readonly gamma?: Hyper | undefined;
}

/**
 * Bop (Helwegen 2019): no latent weights. m ← m + γ(g − m); a weight flips where w·m exceeds the threshold. It makes
 * every variable that it is given binary: put it in a `CaseOptimizer` beside one for the others.
 */
export class Bop extends tf.Optimizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'Bop';
  /** A weight flips where w·m exceeds it; a number, or a function of the step. 1e-8 when absent. */
  threshold: Hyper;
  /** Rate of the average m of gradients; a number, or a function of the step. 1e-4 when absent. */
  gamma: Hyper;
  readonly #averages = new Map<string, tf.Variable>();

  constructor(options: BopOptions = {}) {
    super();
    this.threshold = hyperOf(options.threshold ?? 1e-8, 'threshold');
    this.gamma = hyperOf(options.gamma ?? 1e-4, 'gamma');
  }

  /** Whether a variable belongs to a layer that quantizes it to one bit: the predicate that Bop is meant for. */
  static isBinaryVariable(variable: tf.Variable): boolean {
    return binary.has(variable);
  }

  override applyGradients(gradients: Gradients): void {
    const [threshold, gamma] = [
      hyperAt(this.threshold, this.iterations),
      hyperAt(this.gamma, this.iterations),
    ];
    for (const { name, tensor: gradient } of listed(gradients)) {
      const variable = variableNamed(name);
      if (gradient === null || gradient === undefined) continue;
      const average = this.#averages.get(name) ?? tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
      this.#averages.set(name, average);
      tf.tidy(() => {
        const moved = tf.add(average, tf.mul(gamma, tf.sub(gradient, average)));
        average.assign(moved);
        const kept = tf.mul(tf.neg(tf.sign(tf.sub(tf.mul(variable, moved), threshold))), variable);
        variable.assign(tf.sub(1, tf.mul(2, tf.cast(tf.less(kept, 0), 'float32'))));
      });
    }
    this.incrementIterations();
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const averages = [...this.#averages].map(([name, tensor]) => ({ name: `${name}/m`, tensor }));
    return [await this.saveIterations(), ...averages];
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    for (const average of this.#averages.values()) average.dispose();
    this.#averages.clear();
    for (const { name, tensor } of await this.extractIterations(weights)) {
      this.#averages.set(name.replace(/\/m$/, ''), tf.variable(tensor, false));
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    const [threshold, gamma] = [this.threshold, this.gamma];
    if (typeof threshold === 'function' || typeof gamma === 'function') {
      throw new OptionError("A schedule of Bop can't be saved.", {
        given: 'a function',
        remedy: 'set threshold and gamma to numbers before saving',
      });
    }
    return { threshold, gamma };
  }

  override dispose(): void {
    super.dispose();
    for (const average of this.#averages.values()) average.dispose();
    this.#averages.clear();
  }
}

/** An optimizer, and the variables that it is for. */
export type Case = readonly [predicate: (variable: tf.Variable) => boolean, optimizer: tf.Optimizer];

/**
 * Trains variables with different optimizers: each with that whose predicate claims it, the rest with a default one, or
 * not at all.
 *
 *   new CaseOptimizer([[Bop.isBinaryVariable, new Bop()]], tf.train.adam(0.01))
 */
export class CaseOptimizer extends tf.Optimizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'CaseOptimizer';
  readonly #cases: readonly Case[];
  readonly #rest: tf.Optimizer | undefined;
  readonly #claims = new Map<string, tf.Optimizer | undefined>();

  constructor(cases: readonly Case[], defaultOptimizer?: tf.Optimizer) {
    super();
    for (const [predicate, optimizer] of cases) {
      if (typeof predicate === 'function' && optimizer instanceof tf.Optimizer) continue;
      throw new OptionError('A case is a predicate and an optimizer.', {
        given: `${typeof predicate}, ${typeof optimizer}`,
        expected: '[(variable) => boolean, tf.Optimizer]',
      });
    }
    this.#cases = cases;
    this.#rest = defaultOptimizer;
  }

  /** Those that it hands gradients to, the default one last. */
  get optimizers(): readonly tf.Optimizer[] {
    return [
      ...this.#cases.map(([, optimizer]) => optimizer),
      ...(this.#rest === undefined ? [] : [this.#rest]),
    ];
  }

  /** @throws OptionError for a variable that two predicates claim, or an optimizer that claims none */
  override applyGradients(gradients: Gradients): void {
    const shares = new Map(this.optimizers.map((optimizer) => [optimizer, [] as NamedTensor[]]));
    const isFirst = this.#claims.size === 0;
    for (const { name, tensor } of listed(gradients)) {
      if (!this.#claims.has(name)) this.#claims.set(name, this.#claimant(name));
      const claimant = this.#claims.get(name);
      if (claimant !== undefined) shares.get(claimant)?.push({ name, tensor });
    }
    for (const [optimizer, share] of shares) {
      if (share.length > 0) optimizer.applyGradients(share);
      else if (isFirst && optimizer !== this.#rest) {
        throw new OptionError('An optimizer claimed no variable.', { given: optimizer.getClassName() });
      }
    }
    this.incrementIterations();
  }

  #claimant(name: string): tf.Optimizer | undefined {
    const variable = variableNamed(name);
    const claimants = this.#cases.filter(([predicate]) => predicate(variable));
    if (claimants.length > 1) {
      throw new OptionError('A variable is claimed by several optimizers.', {
        given: name,
        expected: 'one predicate that holds for it',
      });
    }
    return claimants[0]?.[1] ?? this.#rest;
  }

  override async getWeights(): Promise<NamedTensor[]> {
    return (await Promise.all(this.optimizers.map((optimizer) => optimizer.getWeights()))).flat();
  }

  /** @throws OptionError: predicates aren't saved, so a loaded one couldn't claim anything */
  override getConfig(): tf.serialization.ConfigDict {
    throw new OptionError("A CaseOptimizer can't be saved, since its predicates are functions.", {
      remedy: 'save the model without its optimizer, and compile it again with one',
    });
  }

  override dispose(): void {
    super.dispose();
    for (const optimizer of this.optimizers) optimizer.dispose();
  }
}

function hyperOf(value: Hyper, name: string): Hyper {
  if (typeof value === 'function' || (typeof value === 'number' && value >= 0)) return value;
  throw new OptionError(`Bop's ${name} is a number from 0, or a function of the step.`, {
    given: String(value),
  });
}

function hyperAt(hyper: Hyper, step: number): number {
  return typeof hyper === 'function' ? hyper(step) : hyper;
}

function listed(gradients: Gradients): readonly NamedTensor[] {
  return Array.isArray(gradients)
    ? gradients
    : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
}

function variableNamed(name: string): tf.Variable {
  const variable = tf.engine().registeredVariables[name];
  if (variable === undefined) throw new OptionError('There is no variable of this name.', { given: name });
  return variable;
}
