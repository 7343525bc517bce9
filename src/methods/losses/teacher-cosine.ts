import { defineLoss } from '../loss.ts';

/** Below this squared length a row has no direction. */
const LEAST = 1e-20;

/** How far a layer's activations point elsewhere than a teacher's do: transfer of knowledge by similarity. */
export const teacherCosine = /* @__PURE__ */ defineLoss({
  name: 'teacherCosine',
  about: "1 - cosine between activations and a teacher's: of an inner output, beside the loss of the labels",
  formula: '1 - o·t / (|o| |t|), t the activations of the teacher; gradient: (cos o / |o| - t / |t|) / |o|',
  source:
    'Leroux et al. 2020 (training binary networks with knowledge transfer): similarity of activations; the cosine is ours',
  provenance: 'abstract',
  remarks:
    'It is for outputs of inner layers, which both networks name: `losses` of a training gives each output its own, and `compare` what goes into every sign. Length is free; distillation is for the outputs of classes. A row of zeros has loss 1 and no gradient.',
  teacher: true,
  inner: true,
  wgsl: `
    fn row_loss(row: Row) -> f32 {
      var dot = 0.0;
      var own = 0.0;
      var theirs = 0.0;
      for (var c = 0u; c < OUTPUTS; c++) {
        let o = output(row, c);
        let t = taught(row, c);
        dot += o * t;
        own += o * o;
        theirs += t * t;
      }
      let has_direction = min(own, theirs) > ${LEAST};
      let scale = select(0.0, inverseSqrt(max(own, ${LEAST}) * max(theirs, ${LEAST})), has_direction);
      for (var c = 0u; c < OUTPUTS; c++) {
        let along = dot * output(row, c) / max(own, ${LEAST});
        set_gradient(row, c, scale * (along - taught(row, c)) / row.rows);
      }
      return 1.0 - dot * scale;
    }`,
  twin({ outputs, taught }) {
    const dotOf = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0);
    const [dot, own, theirs] = [dotOf(outputs, taught), dotOf(outputs, outputs), dotOf(taught, taught)];
    if (Math.min(own, theirs) <= LEAST) return { loss: 1, gradient: outputs.map(() => 0) };
    const scale = 1 / Math.sqrt(own * theirs);
    return {
      loss: 1 - dot * scale,
      gradient: outputs.map((o, c) => scale * ((dot * o) / own - (taught[c] ?? 0))),
    };
  },
});
