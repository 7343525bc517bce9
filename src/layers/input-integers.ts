/** Layers that take integers of 8 bits by their bit planes: trained ones, and those of networks that are only run. */
import { OptionError } from '../errors.ts';

/** What decides of a layer's options. */
interface IntegerOptions {
  readonly inputIntegers?: unknown;
  readonly inputQuantizer?: unknown;
  readonly kernelQuantizer?: unknown;
  readonly groups?: number | undefined;
  readonly padValue?: number | undefined;
}

/** @throws OptionError unless a layer with these options can take integers by their bit planes */
export function assertInputIntegers(options: IntegerOptions, where: string): void {
  const { inputIntegers, inputQuantizer, kernelQuantizer, groups = 1, padValue = 0 } = options;
  if (inputIntegers !== 'uint8' && inputIntegers !== 'int8') {
    throw new OptionError('These input integers are unknown.', {
      given: String(inputIntegers),
      expected: 'uint8 or int8',
      where,
    });
  }
  if (inputQuantizer !== undefined || kernelQuantizer === undefined || groups !== 1 || padValue !== 0) {
    throw new OptionError(
      'Integers are taken by binary weights only, as they are, without groups, padded with 0.',
      {
        given: `inputQuantizer ${inputQuantizer}, kernelQuantizer ${kernelQuantizer}, ${groups} groups, pad value ${padValue}`,
        where,
      },
    );
  }
}
