/**
 * Teachers of a comparison: the float twin that the matrix trains with the same seed, or a network of a file. A loss of class
 * outputs compares these; one of inner layers compares what goes into every sign with the same layer of the teacher.
 */
import type { TrainingData } from '../data/index.ts';
import { OptionError } from '../errors.ts';
import { describe } from '../gpu/index.ts';
import type { Model, ParameterValues } from '../graph/index.ts';
import type { PixelEncoding } from '../run/pixels.ts';
import { type Entry, FLOAT } from './entry.ts';
import { floatTwin, networkFor, signInputs, withOutputs } from './network.ts';

/** A network that teaches: what `loadModel` gives with `fold: false`. */
export interface Teacher {
  /** Its layers; for losses of inner layers with the names of the student's. */
  readonly model: Model;
  /** Its parameters by `layer/parameter`. */
  readonly values: ParameterValues;
  /** How it takes the bytes of an image, where that is known; the student takes them so, too. */
  readonly pixels?: PixelEncoding | undefined;
}

/** Networks of files that teach, by the path that entries name them by. */
export type Teachers = ReadonlyMap<string, Teacher>;

/** The networks of an entry. */
export interface Lesson {
  /** The network of the entry. */
  readonly plain: Model;
  /** What is trained: the same, and with outputs of inner layers where a loss is of them. */
  readonly student: Model;
  /** What it is compared with; absent where no loss has a teacher. */
  readonly teacher: Model | undefined;
  /** Of the teacher, where it comes from a file. */
  readonly values: ParameterValues | undefined;
  /** Names of the outputs of inner layers, which both have. */
  readonly inner: readonly string[];
}

/**
 * The network that an entry trains, and the one that it learns from.
 * @throws OptionError for a file that was not handed in, for a teacher without the layers that it is asked for, and for one that
 *   takes other pixels; what `networkFor` throws
 */
export async function lessonOf(
  model: Model,
  entry: Entry,
  teachers: Teachers = new Map(),
  normalise: TrainingData['normalise'] = {},
): Promise<Lesson> {
  const plain = await networkFor(model, entry);
  if (entry.teacher === undefined)
    return { plain, student: plain, teacher: undefined, values: undefined, inner: [] };
  const where = `method ${entry.text}`;
  const given = entry.teacher === FLOAT ? undefined : teachers.get(entry.teacher);
  if (entry.teacher !== FLOAT && given === undefined) {
    throw new OptionError('The teacher of an entry was not handed in.', { given: entry.teacher, where });
  }
  const teacher = given?.model ?? (await floatTwin(model));
  if (teacher.inputShape.join() !== model.inputShape.join()) {
    throw new OptionError('A teacher takes the samples that its student takes.', {
      given: `${describe(teacher.inputShape)} (${teacher.name})`,
      expected: `${describe(model.inputShape)} (${model.name})`,
      where,
    });
  }
  const { scale = [1], shift = [0] } = normalise;
  if (given?.pixels !== undefined && !isSame(given.pixels, { scale, shift })) {
    throw new OptionError('A teacher takes pixels as its student takes them.', {
      given: JSON.stringify(given.pixels),
      expected: JSON.stringify({ scale, shift }),
      where,
      remedy: 'train the teacher on the same data set',
    });
  }
  const inner = entry.inner === undefined ? [] : signInputs(plain, where);
  return {
    plain,
    student: withOutputs(plain, inner, where),
    teacher: withOutputs(teacher, inner, where),
    values: given?.values,
    inner,
  };
}

/** The same numbers, whether they are given once or for each channel. */
function isSame(one: PixelEncoding, other: PixelEncoding): boolean {
  const at = (values: readonly number[], i: number) => values[i % values.length] ?? 0;
  return (['scale', 'shift'] as const).every((name) => {
    const [a, b] = [one[name], other[name]];
    return Array.from(
      { length: Math.max(a.length, b.length) },
      (_, i) => Math.abs(at(a, i) - at(b, i)) <= 1e-6 * Math.max(1, Math.abs(at(b, i))),
    ).every(Boolean);
  });
}
