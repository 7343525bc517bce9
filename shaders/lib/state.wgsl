// Where a training run stands; src/ops/data.ts encodes it (STATE_WORDS words).
//!gives TrainState
struct TrainState {
  step: u32, // optimizer steps done
  epoch: u32,
  batch: u32, // batches done in this epoch
  halted: u32, // 1 after a loss that was not finite: whatever outlives a step stays as it is from then on
  seed: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
}
