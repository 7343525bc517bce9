/**
 * The gradient of a normalisation of pooled values goes through the pooling in the same kernels, where windows don't overlap:
 * the pooled values aren't needed on the way back, and the gradient with respect to them isn't written.
 */
import { matched, type Recording } from '../../gpu/index.ts';
import {
  normGradApply,
  normGradApply4,
  normGradApplyPooled,
  normGradApplyPooled4,
  normGradSums,
  normGradSums4,
  normGradSumsPooled,
  normGradSumsPooled4,
} from '../../kernels/norm.ts';
import { maxPool, maxPoolGrad, type PoolConstants } from '../../kernels/pool.ts';

export function poolInGradient(recording: Recording): void {
  for (const sums of recording.of(normGradSums, normGradSums4)) {
    const pooled = sums.operands.x;
    const pool = matched(recording.onlyWriter(pooled), maxPool);
    if (pool === undefined || pool.constants.CHANNELS !== sums.constants.CHANNELS) continue;
    const { x } = pool.operands;
    const windows = pool.constants;
    if (windows.STRIDE_X !== windows.POOL_WIDTH || windows.STRIDE_Y !== windows.POOL_HEIGHT) continue;
    const back = recording
      .of(maxPoolGrad)
      .filter(({ operands, constants }) => operands.x.base === x.base && areSame(constants, windows));
    // Where nobody asks for the gradient of what was pooled, it isn't kept either.
    if (back.length === 0) continue;
    const isWide = windows.CHANNELS % 4 === 0;
    const { BATCH, HEIGHT, WIDTH, STRIDE_X: _x, STRIDE_Y: _y, ...places } = windows;
    const extents = { ...places, BATCH, IMAGE_HEIGHT: HEIGHT, IMAGE_WIDTH: WIDTH };
    const { CHUNKS } = sums.constants;
    recording.exchange(
      sums.dispatch,
      recording.make(
        sums.dispatch,
        isWide ? normGradSumsPooled4 : normGradSumsPooled,
        { ...sums.operands, x },
        { ...extents, CHUNKS },
      ),
    );
    for (const apply of recording.of(normGradApply, normGradApply4)) {
      const { gradX } = apply.operands;
      const [reader, ...others] = recording.readers(gradX);
      const through = back.find(({ dispatch }) => dispatch === reader);
      const isShared = others.length > 0 || recording.isKept(gradX);
      if (apply.operands.x.base !== pooled.base || through === undefined || isShared) continue;
      const { HAS_GAMMA } = apply.constants;
      recording.exchange(
        apply.dispatch,
        recording.make(
          apply.dispatch,
          isWide ? normGradApplyPooled4 : normGradApplyPooled,
          { ...apply.operands, x, gradX: through.operands.out },
          { ...extents, HAS_GAMMA },
        ),
      );
      recording.exchange(through.dispatch);
    }
  }
}

function areSame(a: PoolConstants, b: PoolConstants): boolean {
  return (Object.keys(a) as (keyof PoolConstants)[]).every((name) => a[name] === b[name]);
}
