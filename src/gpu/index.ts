export { assertGpu } from './assert.ts';
export {
  type Choice,
  type ChoiceStore,
  Choices,
  type KeyedText,
  parseChoices,
  type Question,
  storageOf,
} from './choices.ts';
export {
  type AdapterSummary,
  BUFFER_USAGE,
  Gpu,
  type HostArrays,
  type RequestOptions,
} from './context.ts';
export { assertSignature, constantsOf, fillFrame } from './frame.ts';
export { type HostData, type Reals, toFloats } from './host-data.ts';
export {
  type Access,
  type Constants,
  defineKernel,
  type Filling,
  type Fillings,
  type KernelSpec,
  linearWorkgroups,
  type ShaderSource,
  type Shaders,
  type Workgroups,
} from './kernel.ts';
export { MemoryLedger } from './memory.ts';
export { planSlots, type SlotPlan, sharedSlots } from './plan.ts';
export { type DispatchTiming, profile } from './profile.ts';
export { Arena, type MemoryPlan, Program, ProgramBuilder, runOnce } from './program.ts';
export { type Dispatch, matched, operandsOf, type Recording, type RecordingPass } from './recording.ts';
export { BoundRoutine, type Operand, Routine } from './routine.ts';
export { byteLengthOf, type DType, describe, type Shape, sizeOf, Tensor, wordsFor } from './tensor.ts';
