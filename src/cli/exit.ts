/** Exit codes of the command line. */
import {
  ChecksumError,
  DataUnavailableError,
  DeviceLostError,
  NoAdapterError,
  OptionError,
  WebGpuUnavailableError,
} from '../errors.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, noGpu: 3, noData: 4, interrupted: 130 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof OptionError) return EXIT.usage;
  if (
    error instanceof WebGpuUnavailableError ||
    error instanceof NoAdapterError ||
    error instanceof DeviceLostError
  ) {
    return EXIT.noGpu;
  }
  if (error instanceof DataUnavailableError || error instanceof ChecksumError) return EXIT.noData;
  return EXIT.failed;
}
