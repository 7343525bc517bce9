/**
 * The part of TensorFlow Lite's schema (schema.fbs, version 3) that networks of Larq Compute Engine use: numbers of
 * operators and types, and the slot of every field, in the order in which the schema declares them.
 */

/** What the bytes of a tensor are. */
export const TENSOR_TYPE = {
  float32: 0,
  float16: 1,
  int32: 2,
  uint8: 3,
  int64: 4,
  string: 5,
  bool: 6,
  int16: 7,
  complex64: 8,
  int8: 9,
  float64: 10,
} as const;

export type TensorTypeName = keyof typeof TENSOR_TYPE;

export function tensorTypeName(type: number): string {
  const names = Object.keys(TENSOR_TYPE);
  return names.find((name) => TENSOR_TYPE[name as TensorTypeName] === type) ?? `type ${type}`;
}

/** Built-in operators by number; those without a name here are reported as `builtin N`. */
export const BUILTIN = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONCATENATION: 2,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEPTH_TO_SPACE: 5,
  DEQUANTIZE: 6,
  FLOOR: 8,
  FULLY_CONNECTED: 9,
  L2_NORMALIZATION: 11,
  LOGISTIC: 14,
  LSTM: 16,
  MAX_POOL_2D: 17,
  MUL: 18,
  RELU: 19,
  RELU_N1_TO_1: 20,
  RELU6: 21,
  RESHAPE: 22,
  RESIZE_BILINEAR: 23,
  SOFTMAX: 25,
  SPACE_TO_DEPTH: 26,
  TANH: 28,
  CUSTOM: 32,
  PAD: 34,
  GATHER: 36,
  TRANSPOSE: 39,
  MEAN: 40,
  SUB: 41,
  DIV: 42,
  SQUEEZE: 43,
  STRIDED_SLICE: 45,
  EXP: 47,
  TOPK_V2: 48,
  SPLIT: 49,
  LOG_SOFTMAX: 50,
  CAST: 53,
  PRELU: 54,
  MAXIMUM: 55,
  ARG_MAX: 56,
  MINIMUM: 57,
  PADV2: 60,
  GREATER_EQUAL: 62,
  TRANSPOSE_CONV: 67,
  SUM: 74,
  SHAPE: 77,
  PACK: 83,
  RESIZE_NEAREST_NEIGHBOR: 97,
  LEAKY_RELU: 98,
  QUANTIZE: 114,
  HARD_SWISH: 117,
  BATCH_MATMUL: 126,
  /** Codes above are in the newer, wider field only. */
  PLACEHOLDER_FOR_GREATER_OP_CODES: 127,
  GELU: 150,
} as const;

export type BuiltinName = keyof typeof BUILTIN;

export function builtinName(code: number): string {
  return Object.keys(BUILTIN).find((name) => BUILTIN[name as BuiltinName] === code) ?? `builtin ${code}`;
}

/** Which table holds an operator's options: numbers in the union `BuiltinOptions`. */
export const OPTIONS = {
  none: 0,
  Conv2D: 1,
  DepthwiseConv2D: 2,
  Pool2D: 5,
  FullyConnected: 8,
  Softmax: 9,
  Concatenation: 10,
  Add: 11,
  Reshape: 17,
  Mul: 21,
  Pad: 22,
  Reducer: 27,
  Dequantize: 38,
  Quantize: 89,
} as const;

/** Slots of the fields of each table. */
export const MODEL = { version: 0, operatorCodes: 1, subgraphs: 2, description: 3, buffers: 4 } as const;
export const OPERATOR_CODE = {
  deprecatedBuiltinCode: 0,
  customCode: 1,
  version: 2,
  builtinCode: 3,
} as const;
export const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2, operators: 3, name: 4 } as const;
export const TENSOR = {
  shape: 0,
  type: 1,
  buffer: 2,
  name: 3,
  quantization: 4,
  isVariable: 5,
  sparsity: 6,
} as const;
/** A union takes two slots: its type, then its table. */
export const QUANTIZATION = { scale: 2, zeroPoint: 3, detailsType: 4, quantizedDimension: 6 } as const;
export const BUFFER = { data: 0, offset: 1, size: 2 } as const;
export const OPERATOR = {
  opcodeIndex: 0,
  inputs: 1,
  outputs: 2,
  optionsType: 3,
  options: 4,
  customOptions: 5,
} as const;

export const CONV_2D = {
  padding: 0,
  strideWidth: 1,
  strideHeight: 2,
  activation: 3,
  dilationWidth: 4,
  dilationHeight: 5,
} as const;
export const DEPTHWISE_CONV_2D = {
  padding: 0,
  strideWidth: 1,
  strideHeight: 2,
  depthMultiplier: 3,
  activation: 4,
  dilationWidth: 5,
  dilationHeight: 6,
} as const;
export const POOL_2D = {
  padding: 0,
  strideWidth: 1,
  strideHeight: 2,
  filterWidth: 3,
  filterHeight: 4,
  activation: 5,
} as const;
export const FULLY_CONNECTED = { activation: 0, weightsFormat: 1, keepNumDims: 2 } as const;
export const SOFTMAX = { beta: 0 } as const;
export const CONCATENATION = { axis: 0, activation: 1 } as const;
export const ADD = { activation: 0 } as const;
export const MUL = { activation: 0 } as const;
export const RESHAPE = { newShape: 0 } as const;
export const REDUCER = { keepDims: 0 } as const;

export const PADDING = { same: 0, valid: 1 } as const;
export const ACTIVATION = { none: 0, relu: 1, reluN1To1: 2, relu6: 3 } as const;

/** Larq Compute Engine's custom operators. */
export const LCE = {
  quantize: 'LceQuantize',
  dequantize: 'LceDequantize',
  bconv2d: 'LceBconv2d',
  bmaxPool2d: 'LceBMaxPool2d',
} as const;

export const FILE_IDENTIFIER = 'TFL3';
