/** Products and convolutions on matrix units. TensorFlow.js asks for none on its devices, so it carries none of these. */
export default import.meta.glob<string>('./{conv,gemm}/*_matrix_*.wgsl', { eager: true, import: 'default' });
