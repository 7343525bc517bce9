/**
 * Networks in ONNX files with the operators of QONNX and FINN (github.com/fastmachinelearning/qonnx). Reading compiles the
 * graph for inference: constants are folded in float64; scales and normalisations travel along as one scale and one shift
 * a channel until a sign turns them into a threshold; weights of one magnitude become one bit each; channels move from
 * NCHW to NHWC. An entry of its own, `webgpu-bnn/onnx`, because it needs a package.
 */
export { externalFiles, type OnnxFiles } from './onnx/container.ts';
export { importOnnx, type OnnxEnd, type OnnxImportOptions, type OnnxNetwork } from './onnx/read.ts';
export { type OnnxSplit, type OnnxSplitOptions, type OnnxValue, splitOnnx } from './onnx/split.ts';
export { exportOnnx, type OnnxExportOptions } from './onnx/write.ts';
