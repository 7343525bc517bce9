/** What a classifier does with the vectors that it is shown, one after another. */

/** How one vector changes the sums of classes. */
export interface Shown {
  /** The vector's class. */
  readonly label: number;
  /** The class that it is taken for: the one with the largest cosine, the first of equal ones. */
  readonly taken: number;
  /** Cosines of the vector with what stands for every class, by `ClassifierRule.compares`; 0 with a sum of nothing. */
  readonly cosines: Float64Array;
  /** Passes over all vectors before this one. */
  readonly pass: number;
}

/** A class, and how often the vector is added to its sum; less than 0: taken from it. */
export type Change = readonly [label: number, weight: number];

/** How the vectors of classes are found. */
export interface ClassifierRule {
  /** What it is called. */
  readonly name: string;
  /** What it does, in a sentence. */
  readonly about: string;
  /** Where it is from. */
  readonly source: string;
  /** Passes over all vectors when nothing is said; a rule with one pass has no others. */
  readonly passes: number;
  /** Whether it needs cosines in this pass; where it doesn't, none are computed, and `taken` is the label. */
  asks(pass: number): boolean;
  /** What a vector is compared with: the sums as they are (the default), or their signs as they were when the pass began. */
  readonly compares?: 'sums' | 'signs' | undefined;
  /** What this vector changes. */
  changes(shown: Shown): readonly Change[];
}
