/** The parts of TensorFlow.js that its peer uses, without its package. */

export interface TensorFlow {
  readonly version_core: string;
  findBackendFactory(name: string): unknown;
  registerBackend(name: string, factory: () => unknown): boolean;
  removeBackend(name: string): void;
  setBackend(name: string): Promise<boolean>;
  tensor(values: Float32Array, shape: readonly number[]): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, padding: 'same' | 'valid'): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA: boolean, transposeB: boolean): TfTensor;
  maxPool(x: TfTensor, size: number, strides: number, padding: 'same' | 'valid'): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  less(a: TfTensor, b: number): TfTensor;
  lessEqual(a: TfTensor, b: number): TfTensor;
  cast(x: TfTensor, dtype: 'float32'): TfTensor;
  abs(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  mean(x: TfTensor, axes?: readonly number[]): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor | number, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  clipByValue(x: TfTensor, low: number, high: number): TfTensor;
  variable(initial: TfTensor, trainable: boolean, name: string): TfVariable;
  tidy<T>(body: () => T): T;
  customGrad(
    f: (
      x: TfTensor,
      save: (tensors: TfTensor[]) => void,
    ) => { value: TfTensor; gradFunc: (dy: TfTensor, saved: TfTensor[]) => TfTensor },
  ): (x: TfTensor) => TfTensor;
  readonly train: {
    adam(rate: number, beta1: number, beta2: number, epsilon: number): TfOptimizer;
  };
}
export interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}
export interface TfVariable extends TfTensor {
  assign(value: TfTensor): void;
}
interface TfOptimizer {
  minimize(loss: () => TfTensor, returnCost: boolean, variables: TfVariable[]): TfTensor | null;
  dispose(): void;
}
