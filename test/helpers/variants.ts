/** Which variants of a kernel a case of a grid runs. */

/**
 * It is compilation that takes a grid's time, since shapes are constants of a pipeline: so one variant a case, in turn,
 * or every variant where the environment has EVERY_VARIANT.
 * @returns a function that picks of the variants that take a case
 */
export function turns(): <Kernel>(variants: readonly Kernel[]) => readonly Kernel[] {
  let turn = 0;
  return (variants) => {
    turn += 1;
    return process.env.EVERY_VARIANT ? variants : variants.filter((_, i) => i === turn % variants.length);
  };
}
