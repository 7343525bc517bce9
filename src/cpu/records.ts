/** The records that tell the kernels what a step does; `wasm/steps.as` has the same fields in the same order. */

/** What `work` in `wasm/index.as` chooses by. */
export const KERNELS = [
  'signProduct',
  'realProduct',
  'depthwiseSigns',
  'depthwiseReals',
  'poolSigns',
  'poolReals',
  'pointwise',
  'pack',
  'unpack',
] as const;
export type Kernel = (typeof KERNELS)[number];

/** What `pointwise` in `wasm/pointwise.as` chooses by. */
export const OPERATIONS = ['affine', 'normalize', 'clamp', 'prelu', 'add', 'subtract', 'multiply'] as const;
export type Operation = (typeof OPERATIONS)[number];

export const PRODUCT_FIELDS = [
  'kernel',
  'units',
  'input',
  'output',
  'filters',
  'height',
  'width',
  'pixel',
  'outHeight',
  'outWidth',
  'outChannels',
  'kernelHeight',
  'kernelWidth',
  'strideY',
  'strideX',
  'dilationY',
  'dilationX',
  'padTop',
  'padLeft',
  'groups',
  'channels',
  'outside',
  'length',
  'stride',
  'direct',
  'loop',
  'signs',
  'shift',
  'table',
  'rowClass',
  'columnClass',
  'flip',
  'multiplier',
  'bias',
  'slope',
  'residual',
  'lowest',
  'highest',
] as const;

export const POOL_FIELDS = [
  'kernel',
  'units',
  'input',
  'output',
  'height',
  'width',
  'channels',
  'outHeight',
  'outWidth',
  'poolHeight',
  'poolWidth',
  'strideY',
  'strideX',
  'padTop',
  'padLeft',
  'smallest',
  'mean',
] as const;

export const POINTWISE_FIELDS = [
  'kernel',
  'units',
  'input',
  'output',
  'channels',
  'operation',
  'first',
  'second',
  'third',
  'fourth',
  'lowest',
  'highest',
] as const;

/** Fields that are reals. */
export const REAL_FIELDS: readonly string[] = ['lowest', 'highest'];

/** Bytes from one record to the next. */
export const RECORD_BYTES = 160;
/** The field, behind those of the kernels, that says how many units a thread takes at once. */
export const TILE_FIELD = RECORD_BYTES / 4 - 1;

/** The fields of a kernel's record, in their order. */
export function fieldsOf(kernel: Kernel): readonly string[] {
  switch (kernel) {
    case 'signProduct':
    case 'realProduct':
    case 'depthwiseSigns':
    case 'depthwiseReals':
      return PRODUCT_FIELDS;
    case 'poolSigns':
    case 'poolReals':
      return POOL_FIELDS;
    case 'pointwise':
    case 'pack':
    case 'unpack':
      return POINTWISE_FIELDS;
  }
}
