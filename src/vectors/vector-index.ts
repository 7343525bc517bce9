/** Many packed vectors on a GPU, and the nearest of them. */
import { Owner } from '../dispose.ts';
import { DisposedError, OptionError } from '../errors.ts';
import { type Gpu, type Program, ProgramBuilder, type Tensor, wordsFor } from '../gpu/index.ts';
import { nearest } from '../ops/vectors.ts';
import { assertKnownOptions } from '../options.ts';
import { firstWithTail, vectorsIn } from './signs.ts';

/** What keys have in common. */
export interface VectorIndexOptions {
  /** Length of a vector. */
  readonly bits: number;
}

/** The nearest keys of queries, [queries, count] each, the nearest first. */
export interface Found {
  /** Places of the keys. */
  readonly keys: Uint32Array<ArrayBuffer>;
  /** Bits less twice the differing signs: `bits` for the same vector, 0 for unlike ones, −`bits` for the opposite. */
  readonly similarities: Int32Array<ArrayBuffer>;
}

/** Queries that are searched for at once. */
const MOST_QUERIES = 256;

interface Search {
  readonly count: number;
  readonly queries: Tensor;
  readonly found: Tensor;
  readonly program: Program;
}

/** Keys of signs on a GPU, and the search for those that are nearest. */
export class VectorIndex extends Owner {
  /** Length of a vector. */
  readonly bits: number;
  /** How many keys there are. */
  readonly size: number;
  readonly #gpu: Gpu;
  readonly #keys: Tensor;
  /** By how many queries they take: powers of two. All find as many keys. */
  readonly #searches = new Map<number, Search>();
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(gpu: Gpu, keys: Tensor, [size, bits]: readonly [number, number]) {
    super();
    this.#gpu = gpu;
    this.#keys = keys;
    [this.size, this.bits] = [size, bits];
  }

  /**
   * Takes keys to the GPU.
   * @param words packed signs [size, ceil(bits / 32)], as `signsOf` gives them; what is behind the last bit of a vector is 0
   * @throws ShapeError unless these are whole vectors; OptionError; OutOfMemoryError
   */
  static async create(
    gpu: Gpu,
    words: Uint32Array<ArrayBuffer>,
    options: VectorIndexOptions,
  ): Promise<VectorIndex> {
    const where = 'VectorIndex.create';
    assertKnownOptions(options, ['bits'], where);
    const { bits } = options;
    const size = vectorsIn(words, bits, where);
    if (size === 0) throw new OptionError('An index has a key at least.', { given: 'none', where });
    assertTails(words, bits, where);
    const keys = await gpu.scoped(where, () => gpu.tensor('keys', [size, bits], 'bits', words));
    return new VectorIndex(gpu, keys, [size, bits]);
  }

  /**
   * The nearest keys of every query, of equally near ones those that come first.
   * @param words packed signs [queries, ceil(bits / 32)]
   * @param count how many keys: 1 to 64, no more than there are
   * @throws ShapeError, OptionError, DisposedError, OutOfMemoryError
   */
  search(words: Uint32Array<ArrayBuffer>, count: number): Promise<Found> {
    // One after another, since all work in the same memory.
    const found = this.#last.then(() => this.#search(words, count));
    this.#last = found.catch(() => undefined);
    return found;
  }

  async #search(words: Uint32Array<ArrayBuffer>, count: number): Promise<Found> {
    this.#assertUsable();
    const where = 'VectorIndex.search';
    const each = wordsFor(this.bits);
    const queries = vectorsIn(words, this.bits, where);
    assertTails(words, this.bits, where);
    const keys = new Uint32Array(queries * count);
    const similarities = new Int32Array(queries * count);
    for (let first = 0; first < queries; first += MOST_QUERIES) {
      const here = Math.min(MOST_QUERIES, queries - first);
      const search = await this.#searchOf(here, count);
      this.#gpu.write(search.queries, words.slice(first * each, (first + here) * each));
      await this.#gpu.scoped(where, () => search.program.run());
      const pairs = await this.#gpu.readWords(search.found);
      this.#assertUsable();
      for (let i = 0; i < here * count; i++) {
        similarities[first * count + i] = this.bits - 2 * (pairs[2 * i] ?? 0);
        keys[first * count + i] = pairs[2 * i + 1] ?? 0;
      }
    }
    return { keys, similarities };
  }

  /** What searches for so many queries, or some more: compiled once for every power of two. */
  async #searchOf(queries: number, count: number): Promise<Search> {
    const most = 2 ** Math.ceil(Math.log2(queries));
    const known = this.#searches.get(most);
    if (known?.count === count) return known;
    const input = this.#gpu.tensor('queries', [most, this.bits], 'bits');
    try {
      const builder = new ProgramBuilder(this.#gpu, 'search');
      const found = builder.keep(nearest(builder, input, this.#keys, count));
      const search = { count, queries: input, found, program: await builder.compile() };
      if (known !== undefined) dispose(known);
      this.#searches.set(most, search);
      return search;
    } catch (cause) {
      input.dispose();
      throw cause;
    }
  }

  /** Frees its memory. @throws DisposedError the second time */
  dispose(): void {
    this.#assertUsable();
    this.#disposed = true;
    for (const search of this.#searches.values()) dispose(search);
    this.#searches.clear();
    this.#keys.dispose();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  #assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This index was disposed.', { where: 'VectorIndex' });
  }
}

function dispose({ program, queries }: Search): void {
  program.dispose();
  queries.dispose();
}

/** @throws OptionError for bits behind the last one of a vector */
function assertTails(words: Uint32Array, bits: number, where: string): void {
  const vector = firstWithTail(words, bits);
  if (vector < 0) return;
  throw new OptionError('Bits behind the last one of a vector are 0.', {
    given: `vector ${vector}`,
    expected: `${bits} bits in ${wordsFor(bits)} words`,
    where,
    remedy: 'pack them by signsOf',
  });
}
