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

/** Built-in operators that are written, by number; `PLACEHOLDER_FOR_GREATER_OP_CODES` where a byte holds no more. */
export const BUILTIN = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONCATENATION: 2,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  FULLY_CONNECTED: 9,
  LOGISTIC: 14,
  MAX_POOL_2D: 17,
  MUL: 18,
  RELU: 19,
  RELU_N1_TO_1: 20,
  RELU6: 21,
  RESHAPE: 22,
  SOFTMAX: 25,
  TANH: 28,
  CUSTOM: 32,
  PAD: 34,
  TRANSPOSE: 39,
  MEAN: 40,
  SUB: 41,
  DIV: 42,
  STRIDED_SLICE: 45,
  PRELU: 54,
  MAXIMUM: 55,
  MINIMUM: 57,
  PADV2: 60,
  LEAKY_RELU: 98,
  PLACEHOLDER_FOR_GREATER_OP_CODES: 127,
} as const;

export type BuiltinName = keyof typeof BUILTIN;

/** All built-in operators in the order of their numbers. */
const NAMES = `
  ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP
  FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
  LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX
  SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
  UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
  UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX
  DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER
  GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL
  LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND
  LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
  RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N
  GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF
  WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
  PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
  HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
  READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL
  GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM
  ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT`
  .trim()
  .split(/\s+/);

export function builtinName(code: number): string {
  return NAMES[code] ?? `builtin ${code}`;
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
  Gather: 23,
  Transpose: 26,
  Reducer: 27,
  Sub: 28,
  Div: 29,
  Squeeze: 30,
  StridedSlice: 32,
  Cast: 37,
  Dequantize: 38,
  MaximumMinimum: 39,
  PadV2: 43,
  Slice: 48,
  ExpandDims: 52,
  Shape: 55,
  Pack: 59,
  LeakyRelu: 75,
  Quantize: 89,
} as const;

/** Slots of the fields of each table. */
export const MODEL = {
  version: 0,
  operatorCodes: 1,
  subgraphs: 2,
  description: 3,
  buffers: 4,
  metadata: 6,
} as const;
export const METADATA = { name: 0, buffer: 1 } as const;
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
export const SUB = { activation: 0 } as const;
export const DIV = { activation: 0 } as const;
export const GATHER = { axis: 0, batchDims: 1 } as const;
export const PACK = { count: 0, axis: 1 } as const;
export const SQUEEZE = { dims: 0 } as const;
export const LEAKY_RELU = { alpha: 0 } as const;
export const STRIDED_SLICE = {
  beginMask: 0,
  endMask: 1,
  ellipsisMask: 2,
  newAxisMask: 3,
  shrinkAxisMask: 4,
  offset: 5,
} as const;

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
