/** Adapters that were measured before, and a measurement as a line of Markdown. */
import type { MeasuredGpu } from '../worker/protocol.ts';

/** What an adapter does at most in a second. */
export type Rates = Pick<MeasuredGpu, 'popcounts' | 'copy' | 'multiplyAdds'>;

/** A word of 32 signs is 32 multiplications and 32 additions. */
export const OPERATIONS = 64;

/** Of docs/results: by `webgpu-bnn bench` in Node, on two cores. */
export const KNOWN: readonly (Rates & { readonly name: string })[] = [
  { name: 'SwiftShader, two cores', popcounts: 2.13e9, copy: 2.49e9, multiplyAdds: 6.95e9 },
  { name: 'llvmpipe, two cores', popcounts: 41.72e9, copy: 8.22e9, multiplyAdds: 27.06e9 },
];

/** A row of a table: adapter, G word counts, GB copied and G multiply-adds a second, best product, day. */
export function markdownOf(name: string, { popcounts, copy, multiplyAdds, products }: MeasuredGpu): string {
  const rates = [popcounts, copy, multiplyAdds].map((rate) => (rate / 1e9).toFixed(2));
  const best = products.reduce<MeasuredGpu['products'][number] | undefined>(
    (most, one) => (most === undefined || one.perSecond > most.perSecond ? one : most),
    undefined,
  );
  const reached =
    best === undefined
      ? '–'
      : `${best.name}: ${(best.perSecond / 1e9).toFixed(1)} GOPS, ${best.ratio.toFixed(1)}x of f32`;
  const cells = [name, ...rates, reached, new Date().toISOString().slice(0, 10)];
  return `| ${cells.map((cell) => cell.replaceAll(/[|\n]/g, ' ')).join(' | ')} |`;
}
