/** What only a training runs: batches, losses, gradients, optimizers, the train state, dropout. */
export default import.meta.glob<string>(
  [
    './data/*.wgsl',
    '!./data/non_finite.wgsl',
    './elementwise/dropout.wgsl',
    './loss/*.wgsl',
    './conv/{*_grad_*,sum_slices*}.wgsl',
    './gemm/*_grad_*.wgsl',
    '!./{conv,gemm}/*_matrix_*.wgsl',
    './norm/*.wgsl',
    '!./norm/apply*.wgsl',
    './optim/*.wgsl',
    './pool/*_grad.wgsl',
  ],
  { eager: true, import: 'default' },
);
