/**
 * Every error this library throws: what happened, what was given, what was expected, where, and what to do.
 * Catch `BnnError` for all of them, or a subclass for one kind; `code` is stable across versions.
 */

export interface ErrorDetails {
  /** What the caller handed in, or what was found. */
  readonly given?: string | undefined;
  /** What would have been right. */
  readonly expected?: string | undefined;
  /** Layer, tensor, kernel, file and offset, step: whatever locates the fault. */
  readonly where?: string | undefined;
  /** What a person can do about it. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

export abstract class BnnError extends Error {
  /** Stable, kebab-case identifier of the kind of error. */
  abstract readonly code: string;
  /** The bare sentence, without the details that `message` appends. */
  readonly what: string;
  readonly given: string | undefined;
  readonly expected: string | undefined;
  readonly where: string | undefined;
  readonly remedy: string | undefined;

  constructor(what: string, details: ErrorDetails = {}) {
    const lines = [what];
    if (details.where !== undefined) lines.push(`  where:    ${details.where}`);
    if (details.given !== undefined) lines.push(`  given:    ${details.given}`);
    if (details.expected !== undefined) lines.push(`  expected: ${details.expected}`);
    if (details.remedy !== undefined) lines.push(`  remedy:   ${details.remedy}`);
    super(lines.join('\n'), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.what = what;
    this.given = details.given;
    this.expected = details.expected;
    this.where = details.where;
    this.remedy = details.remedy;
  }
}

/** There is no WebGPU here at all (`navigator.gpu` is missing, or Dawn can't be loaded). */
export class WebGpuUnavailableError extends BnnError {
  readonly code = 'webgpu-unavailable';
}

/** WebGPU is there, but it offers no adapter, or none that can do what was asked. */
export class NoAdapterError extends BnnError {
  readonly code = 'no-adapter';
}

/** The device is gone; every later call on it throws this again. */
export class DeviceLostError extends BnnError {
  readonly code = 'device-lost';
}

/** The adapter refused an allocation. The device survives. */
export class OutOfMemoryError extends BnnError {
  readonly code = 'out-of-memory';
}

/** A plan needs more than the device offers or the caller allows; nothing was allocated. */
export class MemoryPlanError extends BnnError {
  readonly code = 'memory-plan';
}

/** WebGPU rejected a call as invalid: a bug in a kernel or in how it was called. */
export class GpuValidationError extends BnnError {
  readonly code = 'gpu-validation';
}

/** Shapes or element types that don't fit each other. */
export class ShapeError extends BnnError {
  readonly code = 'shape';
}

/** An option that is unknown, out of range, or contradicts another. */
export class OptionError extends BnnError {
  readonly code = 'option';
}

/** Something that was disposed is used again. */
export class DisposedError extends BnnError {
  readonly code = 'disposed';
}

/** A file that is truncated, corrupt, or of another kind. */
export class FormatError extends BnnError {
  readonly code = 'format';
}

/** A file whose bytes are not the ones that were published. */
export class ChecksumError extends BnnError {
  readonly code = 'checksum';
}

/** A data set that isn't here and can't be had. */
export class DataUnavailableError extends BnnError {
  readonly code = 'data-unavailable';
}

/** Reading or writing a file failed; what was there before is untouched. */
export class StorageError extends BnnError {
  readonly code = 'storage';
}

/** The loss, a gradient or a weight is NaN or infinite. */
export class NonFiniteError extends BnnError {
  readonly code = 'non-finite';
}
