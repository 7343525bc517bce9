import { defineLoss } from '../loss.ts';

/** Square near what is wanted, and linear farther away: outliers pull no harder than others. */
export const huber = /* @__PURE__ */ defineLoss({
  name: 'huber',
  formula: 'mean over outputs of e² / 2 where |e| <= delta, else delta (|e| - delta / 2); e = o - t',
  source: 'Huber 1964; Keras: delta 1',
  parameters: {
    delta: { default: 1, above: 0, below: Number.POSITIVE_INFINITY, says: 'where the square ends' },
  },
  wgsl: `
    override DELTA: f32;
    fn row_loss(row: Row) -> f32 {
      let share = 1.0 / (row.rows * f32(OUTPUTS));
      var loss = 0.0;
      for (var c = 0u; c < OUTPUTS; c++) {
        let e = output(row, c) - wanted(row, c);
        loss += select(DELTA * (abs(e) - 0.5 * DELTA), 0.5 * e * e, abs(e) <= DELTA);
        set_gradient(row, c, clamp(e, -DELTA, DELTA) * share);
      }
      return loss / f32(OUTPUTS);
    }`,
  twin({ outputs, wanted }, { delta }) {
    const errors = outputs.map((o, c) => o - (wanted[c] ?? 0));
    const lossOf = (e: number) => (Math.abs(e) <= delta ? (e * e) / 2 : delta * (Math.abs(e) - delta / 2));
    return {
      loss: errors.reduce((sum, e) => sum + lossOf(e), 0) / outputs.length,
      gradient: errors.map((e) => Math.max(-delta, Math.min(delta, e)) / outputs.length),
    };
  },
});
