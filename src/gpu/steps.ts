/** What a program replays: dispatches ready to be encoded, and how they are shared out among submits. */
import type { Workgroups } from './kernel.ts';

/** A dispatch, ready to be encoded. */
export interface Step {
  readonly pipeline: GPUComputePipeline;
  /** Renewed when the buffers that the program works in are. */
  bindGroup: GPUBindGroup;
  readonly workgroups: Workgroups;
  readonly label: string;
  readonly kernel: string;
  readonly work: number;
}

/** Steps that one submit may hold. */
export interface Part {
  readonly steps: readonly Step[];
  readonly work: number;
}

/** Steps one after the other, cut where a part would hold more work, or more steps, than it may. */
export function cut(steps: readonly Step[], mostWork: number, mostSteps = Number.POSITIVE_INFINITY): Part[] {
  const parts: { steps: Step[]; work: number }[] = [];
  for (const step of steps) {
    const part = parts.at(-1);
    if (part === undefined || part.work + step.work > mostWork || part.steps.length === mostSteps) {
      parts.push({ steps: [step], work: step.work });
    } else {
      part.steps.push(step);
      part.work += step.work;
    }
  }
  return parts;
}
