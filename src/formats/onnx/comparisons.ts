/** Rules of comparisons, and of what makes numbers of their results: signs as files have them that know ONNX' own operators. */
import { ELEMENT, type OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import { binarize } from './thresholds.ts';
import { type Activation, compose, constantOf, numberOf, refused } from './values.ts';

/** x ≥ c, and the other three made of it: of −x and −c, or turned round. */
interface Comparison {
  readonly negated: boolean;
  readonly inverted: boolean;
}
const AT_LEAST: Comparison = { negated: false, inverted: false };
const AT_MOST: Comparison = { negated: true, inverted: false };
const BELOW: Comparison = { negated: false, inverted: true };
const ABOVE: Comparison = { negated: true, inverted: true };

/** @param swapped what it is where the constant stands first */
function comparison(plain: Comparison, swapped: Comparison): Rule {
  return (importer, node, [a, b]) => {
    const isFirst = a?.kind === 'constant';
    const { negated, inverted } = isFirst ? swapped : plain;
    const constant = constantOf(node, isFirst ? a : b);
    const given = importer.activation(node, isFirst ? b : a);
    const { value, row } = importer.byChannel(node, given, constant);
    const by = negated ? -1 : 1;
    const turned = negated ? compose(value, () => [-1, 0]) : value;
    // Signs, of which ONNX has 0 and 1.
    const half = inverted ? -0.5 : 0.5;
    return binarize(
      importer,
      node,
      turned,
      row.map((limit) => by * limit),
      [half, 0.5],
    );
  };
}

/** The two values that signs stand for, when their scale and shift are counted in: all must hold for `test`. */
function stands(value: Activation, test: (level: number) => boolean): boolean {
  return (
    value.values === 'signs' &&
    value.scale.every((scale, channel) => {
      const shift = value.shift[channel] ?? 0;
      return test(shift + scale) && test(shift - scale);
    })
  );
}
const isBit = (level: number) => level === 0 || level === 1;

/** Conditions are 0 and 1. */
function condition(importer: Importer, node: OnnxNode, value: Parameters<Rule>[2][number]): Activation {
  const found = importer.raw(node, value);
  if (!stands(found, isBit)) throw refused(node, 'its condition is no comparison');
  return found;
}

/** Types of real numbers: what short ones would round stays as it is. */
const FLOATS: readonly number[] = [ELEMENT.float, ELEMENT.float16, ELEMENT.double, ELEMENT.bfloat16];
/** Types by their numbers, and by their names, as the operator's first versions have them. */
const TYPES = new Map<string | number, number>(
  Object.entries(ELEMENT).flatMap(([name, type]) => [
    [name.toUpperCase(), type],
    [type, type],
  ]),
);

const cast: Rule = (importer, node, [x]) => {
  const given = node.texts.get('to') ?? numberOf(node, 'to', ELEMENT.float);
  const to = TYPES.get(given);
  if (to === undefined) throw refused(node, `its type is ${given}`);
  const isReal = FLOATS.includes(to);
  if (x?.kind === 'constant') {
    return {
      ...x,
      type: to,
      data: isReal ? x.data : x.data.map(to === ELEMENT.bool ? (v) => Number(v !== 0) : Math.trunc),
    };
  }
  const value = importer.raw(node, x);
  // All types have 0 and 1.
  if (!isReal && !stands(value, isBit)) throw refused(node, `its values would change in type ${given}`);
  importer.folded.push(node.name);
  return value;
};

const not: Rule = (importer, node, [x]) => {
  importer.folded.push(node.name);
  return compose(condition(importer, node, x), () => [-1, 1]);
};

/** One number where the condition holds, and another one where it doesn't. */
const where: Rule = (importer, node, [x, a, b]) => {
  const first = importer.byChannel(node, condition(importer, node, x), constantOf(node, a));
  const { value, row: otherwise } = importer.byChannel(node, first.value, constantOf(node, b));
  importer.folded.push(node.name);
  return compose(value, (channel) => {
    const [then, other] = [first.row[channel] ?? 0, otherwise[channel] ?? 0];
    if (!Number.isFinite(then - other)) throw refused(node, 'a number is not finite');
    return [then - other, other];
  });
};

export const COMPARISON_RULES: Readonly<Record<string, Rule>> = {
  GreaterOrEqual: comparison(AT_LEAST, AT_MOST),
  LessOrEqual: comparison(AT_MOST, AT_LEAST),
  Greater: comparison(ABOVE, BELOW),
  Less: comparison(BELOW, ABOVE),
  Not: not,
  Cast: cast,
  Where: where,
};
