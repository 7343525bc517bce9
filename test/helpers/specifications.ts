/** Every specification that a module of `src/kernels` exports, however deep in its families of variants. */
import type { KernelSpec } from '../../src/gpu/index.ts';

function specificationsIn(value: unknown): KernelSpec[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('source' in value && 'bindings' in value && 'workgroups' in value) return [value as KernelSpec];
  return Object.values(value).flatMap(specificationsIn);
}

const modules = import.meta.glob<Record<string, unknown>>('../../src/kernels/*.ts', { eager: true });

export const SPECIFICATIONS: readonly KernelSpec[] = [
  ...new Set(Object.values(modules).flatMap((module) => specificationsIn({ ...module }))),
];
