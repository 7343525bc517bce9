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
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** What every error of this library is: catch it for all of them, and ask `code` which it is. */
export abstract class BnnError extends Error {
  /** Stable, kebab-case identifier of the kind of error. */
  abstract readonly code: string;
  /** The bare sentence, without the details that `message` appends. */
  readonly what: string;
  /** What was there, in words; undefined where it says nothing. */
  readonly given: string | undefined;
  /** What would have been right, in words; undefined where it is plain. */
  readonly expected: string | undefined;
  /** The file, layer, option or call that it is about. */
  readonly where: string | undefined;
  /** What a person can do about it: a command, or a change. */
  readonly remedy: string | undefined;

  constructor(what: string, details: ErrorDetails = {}) {
    const [where, given, expected, remedy] = [
      readable(details.where),
      readable(details.given),
      readable(details.expected),
      readable(details.remedy),
    ];
    const lines = [what];
    if (where !== undefined) lines.push(`  where:    ${where}`);
    if (given !== undefined) lines.push(`  given:    ${given}`);
    if (expected !== undefined) lines.push(`  expected: ${expected}`);
    if (remedy !== undefined) lines.push(`  remedy:   ${remedy}`);
    super(lines.join('\n'), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.what = what;
    this.given = given;
    this.expected = expected;
    this.where = where;
    this.remedy = remedy;
  }
}

/** Characters of one detail that a message prints: a few lines of a screen. */
const MOST_CHARACTERS = 800;
/** Entries of a list that a message prints. */
const MOST_ENTRIES = 20;

/** A detail as a message prints it: no longer than a few lines, and without characters that steer a terminal. */
function readable(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  // JavaScript hands in what is no text, too.
  const text = String(given);
  // Spelled out, a character may take six.
  const spelled = printable(text.slice(0, MOST_CHARACTERS));
  const shown = spelled.slice(0, MOST_CHARACTERS);
  if (text.length > MOST_CHARACTERS) return `${shown} ... (${text.length - MOST_CHARACTERS} more characters)`;
  return spelled.length > MOST_CHARACTERS ? `${shown} ...` : shown;
}

/**
 * Text from a file or a user as it may be printed: control characters, which steer terminals, and the marks that reverse
 * the direction of writing are spelled out, but for line ends and tabs.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) =>
    character === '\n' || character === '\t'
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Entries of a list as a message prints them: the first twenty, and how many more there are. */
export function listed(entries: readonly unknown[], separator = ', '): string {
  const shown = entries.slice(0, MOST_ENTRIES).join(separator);
  const more = entries.length - MOST_ENTRIES;
  return more > 0 ? `${shown}${separator}and ${more} more` : shown;
}

/** There is no WebGPU here at all (`navigator.gpu` is missing, or Dawn can't be loaded). */
export class WebGpuUnavailableError extends BnnError {
  readonly code = 'webgpu-unavailable';
}

/** There is no WebAssembly that the engine can use, or the page forbids it. */
export class WebAssemblyUnavailableError extends BnnError {
  readonly code = 'webassembly-unavailable';
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

/** A layer that an engine doesn't run; another one may. */
export class LayerNotRunError extends OptionError {}

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

/** A server that hands out jobs can't be reached, refuses, is full, or holds what isn't understood here. */
export class QueueError extends BnnError {
  readonly code = 'queue';
}

/** Reading or writing a file failed; what was there before is untouched. */
export class StorageError extends BnnError {
  readonly code = 'storage';
}

/** The loss, a gradient or a weight is NaN or infinite. */
export class NonFiniteError extends BnnError {
  readonly code = 'non-finite';
}
