/**
 * Normalised values that are only binarized are never written: the kernel that would have made them gives their signs, and the
 * gate of the window, to the bit.
 */
import { matched, type Recording } from '../../gpu/index.ts';
import {
  normApply,
  normApply4,
  normCombine,
  normCombine4,
  normSigns,
  normSigns4,
} from '../../kernels/norm.ts';
import { binarizeGated } from '../../kernels/quantize.ts';

export function signsOnly(recording: Recording): void {
  for (const { dispatch, operands, constants } of recording.of(binarizeGated)) {
    const apply = matched(recording.onlyWriter(operands.x), normApply, normApply4);
    if (apply === undefined || !haveSameWords(constants.CHANNELS, apply.constants.CHANNELS)) continue;
    const { x, mean, gamma, beta } = apply.operands;
    // Of the batch, whose statistics are there; running ones have no inverse deviation.
    const statistics = matched(recording.writers(mean)[0], normCombine, normCombine4)?.operands;
    if (statistics === undefined) continue;
    const { inverseStd } = statistics;
    const { ROWS, CHANNELS, HAS_GAMMA, HAS_BETA } = apply.constants;
    const { bits, gate } = operands;
    recording.exchange(
      dispatch,
      recording.make(
        dispatch,
        CHANNELS % 4 === 0 ? normSigns4 : normSigns,
        { x, mean, inverseStd, gamma, beta, bits, gate },
        { ROWS, CHANNELS, CLIP: constants.CLIP, HAS_GAMMA, HAS_BETA },
      ),
    );
  }
  for (const { dispatch, operands } of recording.of(normApply, normApply4)) {
    if (!recording.isNeeded(operands.y)) recording.exchange(dispatch);
  }
}

/** Whether signs of so many channels stay in their words under another number of them. */
function haveSameWords(a: number, b: number): boolean {
  return a === b || (a % 32 === 0 && b % 32 === 0);
}
