/** Products and convolutions that run where they were measured or pinned. */
export default import.meta.glob<string>(
  ['./{conv,gemm}/binary_*{bytes,shared}.wgsl', './{conv,gemm}/*_carry_*.wgsl'],
  { eager: true, import: 'default' },
);
