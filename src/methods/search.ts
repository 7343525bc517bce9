/**
 * A genetic search over gradients that a sign may pass: trees of two functions of one value and one of two, each of which becomes a
 * quantizer through the point that all others go through. After GAAF (Li et al. 2022, arXiv 2206.03291), which searches trees of this form for
 * functions that stand before the sign, and so change what is multiplied; here they change the gradient alone. The lists are ours.
 *
 *   const { best } = await searchGradients({ fitness: async (quantizer) => accuracyOf(quantizer), generations: 20 });
 *   quantDense({ units: 64, inputQuantizer: best.quantizer, kernelQuantizer: 'steSign' });
 */
import { OptionError } from '../errors.ts';
import { uniform01 } from '../numerics/random.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { defineQuantizer } from './define-quantizer.ts';
import type { Quantizer } from './quantizer.ts';

interface Operator<F> {
  /** An expression in WGSL of x, or of x and y. */
  readonly wgsl: string;
  /** The same in float64. */
  readonly of: F;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Functions of one value. */
export const UNARY = {
  value: { wgsl: 'x', of: (x) => x },
  negative: { wgsl: '-x', of: (x) => -x },
  magnitude: { wgsl: 'abs(x)', of: Math.abs },
  square: { wgsl: 'x * x', of: (x) => x * x },
  cube: { wgsl: 'x * x * x', of: (x) => x ** 3 },
  tanh: { wgsl: 'tanh(clamp(x, -20.0, 20.0))', of: Math.tanh },
  sigmoid: { wgsl: '1.0 / (1.0 + exp(-x))', of: sigmoid },
  gauss: { wgsl: 'exp(-x * x)', of: (x) => Math.exp(-x * x) },
  bell: {
    wgsl: '1.0 - tanh(clamp(x, -20.0, 20.0)) * tanh(clamp(x, -20.0, 20.0))',
    of: (x) => 1 - Math.tanh(x) ** 2,
  },
  triangle: { wgsl: 'max(0.0, 1.0 - abs(x))', of: (x) => Math.max(0, 1 - Math.abs(x)) },
  window: { wgsl: 'select(0.0, 1.0, abs(x) <= 1.0)', of: (x) => (Math.abs(x) <= 1 ? 1 : 0) },
  rectified: { wgsl: 'max(0.0, x)', of: (x) => Math.max(0, x) },
  one: { wgsl: '1.0', of: () => 1 },
  half: { wgsl: '0.5', of: () => 0.5 },
  decay: { wgsl: 'exp(-abs(x))', of: (x) => Math.exp(-Math.abs(x)) },
  lorentz: { wgsl: '1.0 / (1.0 + x * x)', of: (x) => 1 / (1 + x * x) },
  sine: { wgsl: 'sin(x)', of: Math.sin },
  cosine: { wgsl: 'cos(x)', of: Math.cos },
  softsign: { wgsl: 'x / (1.0 + abs(x))', of: (x) => x / (1 + Math.abs(x)) },
} as const satisfies Readonly<Record<string, Operator<(x: number) => number>>>;

/** Functions of two values. */
export const BINARY = {
  sum: { wgsl: 'x + y', of: (x, y) => x + y },
  difference: { wgsl: 'x - y', of: (x, y) => x - y },
  product: { wgsl: 'x * y', of: (x, y) => x * y },
  maximum: { wgsl: 'max(x, y)', of: Math.max },
  minimum: { wgsl: 'min(x, y)', of: Math.min },
  mean: { wgsl: '0.5 * (x + y)', of: (x, y) => (x + y) / 2 },
  gated: { wgsl: 'x / (1.0 + exp(-y))', of: (x, y) => x * sigmoid(y) },
  ratio: { wgsl: 'x / (1.0 + abs(y))', of: (x, y) => x / (1 + Math.abs(y)) },
  damped: { wgsl: 'x * exp(-y * y)', of: (x, y) => x * Math.exp(-y * y) },
  distance: { wgsl: 'abs(x - y)', of: (x, y) => Math.abs(x - y) },
} as const satisfies Readonly<Record<string, Operator<(x: number, y: number) => number>>>;

/** join(left(x), right(x)). */
export interface GradientGenome {
  /** By its name in `UNARY`. */
  readonly left: keyof typeof UNARY;
  /** By its name in `UNARY`. */
  readonly right: keyof typeof UNARY;
  /** By its name in `BINARY`. */
  readonly join: keyof typeof BINARY;
}

/** Gradients are kept within this: a step that is larger by far is no step. */
const MOST = 4;

/** The quantizer of signs that passes clip(join(left(x), right(x)), 0, 4). */
export function quantizerOfGenome({ left, right, join }: GradientGenome): Quantizer {
  const capital = (name: string) => name[0]?.toUpperCase() + name.slice(1);
  const [a, b, both] = [UNARY[left], UNARY[right], BINARY[join]];
  return defineQuantizer({
    name: `evolved${capital(join)}${capital(left)}${capital(right)}`,
    formula: `clip(${join}(${left}(x), ${right}(x)), 0, ${MOST})`,
    source: 'a search over gradients, after GAAF (Li et al. 2022), arXiv 2206.03291',
    wgsl: `
      fn left(x: f32) -> f32 { return ${a.wgsl}; }
      fn right(x: f32) -> f32 { return ${b.wgsl}; }
      fn both(x: f32, y: f32) -> f32 { return ${both.wgsl}; }
      fn gradient(x: f32) -> f32 { return clamp(both(left(x), right(x)), 0.0, ${MOST}.0); }`,
    gradient: (x) => Math.max(0, Math.min(MOST, both.of(a.of(x), b.of(x)))),
  })();
}

/** How gradients are bred and judged. */
export interface SearchOptions {
  /** How good a quantizer is: accuracy after some epochs, say. Larger is better; what isn't finite is worst. */
  readonly fitness: (quantizer: Quantizer, genome: GradientGenome) => number | Promise<number>;
  /** Genomes that are kept. Default 30, as GAAF's. */
  readonly population?: number;
  /** Default 200, as GAAF's. */
  readonly generations?: number;
  /** Genomes that are made in each generation. Default 10, as GAAF's. */
  readonly children?: number;
  /** Default 1. The same seed and the same fitness find the same. */
  readonly seed?: number;
  /** Called with the best so far after every generation; `false` ends the search. */
  readonly onGeneration?: (generation: number, best: SearchResult) => boolean | undefined;
}

const OPTIONS = namesOf<SearchOptions>({
  fitness: true,
  population: true,
  generations: true,
  children: true,
  seed: true,
  onGeneration: true,
});

/** The best that was found. */
export interface SearchResult {
  /** Which functions its gradient is made of. */
  readonly genome: GradientGenome;
  /** The sign with that gradient. */
  readonly quantizer: Quantizer;
  /** What `fitness` said of it. */
  readonly fitness: number;
}

/**
 * Searches for a gradient that does well. No genome is judged twice.
 * @returns the best, and its fitness after each generation
 * @throws OptionError for numbers that are no counts; what `fitness` throws
 */
export async function searchGradients(
  options: SearchOptions,
): Promise<{ readonly best: SearchResult; readonly history: readonly number[] }> {
  const where = 'searchGradients';
  assertKnownOptions(options, OPTIONS, where);
  const { fitness, population = 30, generations = 200, children = 10, seed = 1, onGeneration } = options;
  for (const [name, value] of Object.entries({ population, generations, children })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new OptionError('A search has whole numbers of genomes and generations.', {
      given: `${name} = ${value}`,
      expected: 'a positive integer',
      where,
    });
  }
  let draws = 0;
  const drawn = (count: number) => Math.min(count - 1, Math.floor(uniform01(seed, 77, draws++) * count));
  const oneOf = <T>(list: readonly T[]) => list[drawn(list.length)] as T;
  const unary = Object.keys(UNARY) as (keyof typeof UNARY)[];
  const binary = Object.keys(BINARY) as (keyof typeof BINARY)[];
  const fresh = (): GradientGenome => ({ left: oneOf(unary), right: oneOf(unary), join: oneOf(binary) });

  const judged = new Map<string, SearchResult>();
  let kept: SearchResult[] = [];
  const keyOf = ({ join, left, right }: GradientGenome) => [join, left, right].join();
  const judge = async (genome: GradientGenome) => {
    const key = keyOf(genome);
    if (judged.has(key)) return;
    const quantizer = quantizerOfGenome(genome);
    const value = await fitness(quantizer, genome);
    const result = { genome, quantizer, fitness: Number.isFinite(value) ? value : Number.NEGATIVE_INFINITY };
    judged.set(key, result);
    kept.push(result);
  };
  /** The better of two that are drawn. */
  const parent = () => {
    const [one, other] = [oneOf(kept), oneOf(kept)];
    return (one.fitness >= other.fitness ? one : other).genome;
  };
  /** Each part of one parent or the other; every third child has a new part. */
  const child = (): GradientGenome => {
    const [one, other, drawnAnew] = [parent(), parent(), fresh()];
    const crossed = {
      left: oneOf([one, other]).left,
      right: oneOf([one, other]).right,
      join: oneOf([one, other]).join,
    };
    const part = oneOf(['left', 'right', 'join', 'none', 'none', 'none', 'none', 'none', 'none'] as const);
    return part === 'none' ? crossed : { ...crossed, [part]: drawnAnew[part] };
  };
  const cut = () => {
    kept = kept.toSorted((a, b) => b.fitness - a.fitness).slice(0, population);
  };

  for (let i = 0; i < population; i++) await judge(fresh());
  cut();
  const history: number[] = [];
  for (let generation = 0; generation < generations; generation++) {
    for (let i = 0; i < children; i++) {
      let made = child();
      // A child that was judged before is drawn again, and is one without parents when that goes on.
      for (let tries = 0; tries < 8 && judged.has(keyOf(made)); tries++) made = tries < 4 ? child() : fresh();
      await judge(made);
    }
    cut();
    const [best] = kept as [SearchResult, ...SearchResult[]];
    history.push(best.fitness);
    if (onGeneration?.(generation, best) === false) break;
  }
  const [best] = kept as [SearchResult, ...SearchResult[]];
  return { best, history };
}
