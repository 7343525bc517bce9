/** Networks in WebAssembly, where there is no GPU: loaded when it is asked for. */
export { CpuNetwork, type CpuOptions } from './network.ts';
