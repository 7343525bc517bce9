/** What functions of a trained network are asked with: the network itself, and samples. */
import { OptionError } from '../errors.ts';
import type { Network } from '../graph/index.ts';
import { assertPresent } from '../options.ts';

/**
 * Checks that a network on a GPU was given, and samples.
 * @throws OptionError for nothing, for a promise, and for something else: what holds a network, a trainer say
 */
export function assertAsked(network: Network, where: string, ...samples: readonly ArrayLike<number>[]): void {
  if (typeof network === 'object' && network !== null && 'network' in network) {
    throw new OptionError('A network is asked for, not what holds one.', {
      where,
      remedy: 'give trainer.network',
    });
  }
  assertPresent(network, 'the network', where, 'parameters');
  for (const each of samples) assertPresent(each, 'the samples', where, 'length');
}
