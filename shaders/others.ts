/** What few networks have: depthwise convolutions, functions of single values, sums, other orders, bytes. */
export default import.meta.glob<string>(
  [
    './conv/depthwise_*.wgsl',
    './elementwise/*.wgsl',
    '!./elementwise/dropout.wgsl',
    './{inference,movement,pointwise,quantize}/*.wgsl',
  ],
  { eager: true, import: 'default' },
);
