/** The page of a method as data: what it says of itself, its numbers, and its functions drawn from its float64 twins. */
import { assertPresent } from '../options.ts';
import { aboutOf } from './about.ts';
import type { Augmentation, Place } from './augmentation.ts';
import type { Loss } from './loss.ts';
import type { Method, NumberParameter, Provenance, ScheduleParameter } from './method.ts';
import { isPlainSign } from './note.ts';
import type { Optimizer } from './optimizer.ts';
import type { Penalty } from './penalty.ts';
import type { Quantizer } from './quantizer.ts';
import { quantizedRow, statisticsOf } from './row.ts';
import type { Schedule, StepTime } from './schedules.ts';

/** A number of a method, as its page says it. */
export interface DescribedParameter {
  readonly name: string;
  /** Of this method: the default, unless it was made with another. */
  readonly value: string;
  /** `more than 0 and less than 1`; empty where there are none. */
  readonly bounds: string;
  readonly says: string;
}

export type Point = readonly [x: number, y: number];

/** Functions of a method, drawn together. */
export interface MethodFigure {
  /** What it shows, in a few words. */
  readonly title: string;
  /** What to see in it, as a sentence. */
  readonly caption: string;
  /** What lies along the x axis. */
  readonly x: string;
  /** What lies along the y axis. */
  readonly y: string;
  /** The functions by name, each as points from left to right. */
  readonly series: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

/** What the page of a method says; plain data. */
export interface MethodDescription {
  /** By it the method is given as a text. */
  readonly name: string;
  /** What of a training it decides. */
  readonly kind: Method['kind'];
  /** What it does in a few words. */
  readonly about: string;
  /** The mathematics, as text. */
  readonly formula: string;
  /** The paper's authors, year and name, without what else is said of it. */
  readonly paper: string;
  /** Where the paper is found, of one with a number of arXiv. */
  readonly link: string | undefined;
  /** Where all of it comes from: the paper, and in what it differs. */
  readonly source: string;
  /** Its numbers, with their defaults and ranges. */
  readonly parameters: readonly DescribedParameter[];
  /** What it trains beside the weights, each with where it starts. */
  readonly learned: readonly { readonly name: string; readonly start: number; readonly says: string }[];
  /** Other facts, a sentence each. */
  readonly notes: readonly string[];
  /** Functions of it, drawn. */
  readonly figures: readonly MethodFigure[];
}

/** A method that has a page. */
export type DescribedMethod = Quantizer | Optimizer | Penalty | Loss;

/** What a method's page says; augmentations have pages, too. */
export function describeMethod(method: DescribedMethod | Augmentation): MethodDescription {
  assertPresent(method, 'the method', 'describeMethod', 'definition');
  const { name, kind, definition, parameters } = method;
  const { formula, source } = definition;
  const number = /arXiv (\d{4}\.\d{4,5})/.exec(source)?.[1];
  const known = Object.entries(definition.parameters ?? {});
  const learned = kind === 'quantizer' ? Object.entries(method.definition.learned?.numbers ?? {}) : [];
  return {
    ...{ name, kind, about: aboutOf(method), formula, source },
    paper: (source.split(/[,;:]/)[0] ?? source).trim(),
    link: number === undefined ? undefined : `https://arxiv.org/abs/${number}`,
    parameters: known.map(([key, parameter]) => ({
      name: key,
      value: scheduleText(parameters[key] ?? parameter.default),
      bounds: boundsText(parameter),
      says: parameter.says,
    })),
    learned: learned.map(([key, { start, says }]) => ({ name: key, start, says })),
    notes: [...notesOf(method), ...knownOf(definition)],
    figures: figuresOf(method),
  };
}

/** `0.02`, `0.02 to 0.001, exponential`. */
function scheduleText(value: number | Schedule): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'function') return 'a function of the step';
  if (value.decay === 'halving') return `${value.from}, halved every ${value.everyEpochs} epochs`;
  return `${value.from} to ${value.to}, ${value.decay}`;
}

function boundsText(parameter: NumberParameter | ScheduleParameter): string {
  if ('schedule' in parameter) return 'a schedule';
  const { above, from, below, to } = parameter;
  const parts = [
    above === undefined ? '' : `more than ${above}`,
    from === undefined ? '' : `${from} or more`,
    below === undefined || below === Number.POSITIVE_INFINITY ? '' : `less than ${below}`,
    to === undefined ? '' : `${to} or less`,
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

const PROVENANCE: Readonly<Record<Provenance, string>> = {
  authors: "The formula was read in its authors' code or text.",
  replication: 'The formula was read in a replication, not in what its authors wrote.',
  abstract: 'Only the abstract was at hand: the formula is a reading of it, and no replication.',
  inferred: 'The formula is inferred, and no replication.',
};

/** How a method is known, how its authors train with it, and what was found of it. */
function knownOf({ provenance, recipe, remarks }: Method['definition']): string[] {
  return [
    ...(provenance === undefined ? [] : [PROVENANCE[provenance]]),
    ...(recipe === undefined ? [] : [`Its authors: ${recipe}`]),
    ...(remarks === undefined ? [] : [remarks]),
  ];
}

function notesOf(method: DescribedMethod | Augmentation): string[] {
  switch (method.kind) {
    case 'quantizer': {
      const { unfit = {}, learned } = method.definition;
      const planes = method.row?.planes ?? 1;
      return [
        ...(planes > 1 ? [`A value is a sum of ${planes} planes of signs.`] : []),
        ...(unfit.weights === undefined ? [] : [`Not for weights: ${unfit.weights}.`]),
        ...(unfit.activations === undefined ? [] : [`Not for activations: ${unfit.activations}.`]),
        ...(learned === undefined ? [] : [`It learns numbers of its own, per ${learned.per}.`]),
      ];
    }
    case 'optimizer': {
      const { forward = 'sign', signsOnly, gradient = 'gated', finish } = method.definition;
      return [
        signsOnly === true
          ? 'There are no latent weights: it moves signs alone.'
          : `While training, layers multiply by ${forward === 'sign' ? "each weight's sign" : 'the weights as they are'}.`,
        `The gradient of binary weights comes ${gradient === 'gated' ? "through their quantizer's gradient" : 'as it is'}.`,
        ...(finish === undefined
          ? []
          : ['At the end of a training weights are rounded, and batch normalisation is fitted anew.']),
        ...(method.real === undefined
          ? []
          : [`Parameters that aren't binary are trained by ${method.real.name}.`]),
      ];
    }
    case 'loss':
      return [
        `Targets: ${method.targets.join(', ')}.`,
        ...(method.teacher ? ["It compares with a teacher's outputs."] : []),
      ];
    case 'penalty':
      return [];
    case 'augmentation':
      return [STAGES[method.definition.stage]];
  }
}

const STAGES: Readonly<Record<Augmentation['definition']['stage'], string>> = {
  pick: 'It is done while samples are picked, and costs nothing more.',
  move: 'Pixels are taken from other places, and from between four where they fall between.',
  change: 'Values are changed where they are.',
  mix: 'Samples of a batch are mixed, and what is wanted of them.',
  targets: 'What is wanted is changed, and no sample.',
};

const POINTS = 201;

function grid(from: number, to: number): number[] {
  return Array.from({ length: POINTS }, (_, i) => from + ((to - from) * i) / (POINTS - 1));
}

/** What is drawn of a training of so many steps. */
const STEPS = 200;
const EPOCH_STEPS = 20;

function figuresOf(method: DescribedMethod | Augmentation): MethodFigure[] {
  switch (method.kind) {
    case 'quantizer':
      return ofQuantizer(method);
    case 'optimizer':
      return [ofOptimizer(method)];
    case 'penalty':
      return [ofPenalty(method)];
    case 'loss':
      return [ofLoss(method)];
    case 'augmentation':
      return ofAugmentation(method);
  }
}

function ofQuantizer(quantizer: Quantizer): MethodFigure[] {
  const x = grid(-2, 2);
  const { row } = quantizer;
  const statistics = statisticsOf(x);
  const values = row === undefined ? x.map((one) => (one < 0 ? -1 : 1)) : quantizedRow(row, x).values;
  const changes = quantizer.scalars.length > 0;
  const moments: readonly (readonly [string, StepTime])[] = [0, ...(changes ? [0.5, 1] : [])].map((share) => [
    ['at the start', 'half-way', 'at the end'][2 * share] ?? '',
    { step: Math.round(share * (STEPS - 1)), steps: STEPS, epochSteps: EPOCH_STEPS },
  ]);
  const passed = (at: ReturnType<Quantizer['at']>, one: number): number => {
    if (row === undefined || row.isStraight) return at.gradient(one);
    const taken = row.argument(one, statistics);
    return row.scale(statistics) * at.gradient(taken) * row.slope(one, statistics);
  };
  const isRow = row !== undefined && !isPlainSign(quantizer);
  const where = isRow ? ' Drawn for a row of evenly spaced values from -2 to 2.' : '';
  const surrogates = moments.flatMap(([moment, time]) => {
    const at = quantizer.at(time);
    if (row !== undefined || at.surrogate(0) === undefined) return [];
    const points = x.map((one): Point => [one, at.surrogate(one) ?? Number.NaN]);
    return [{ name: changes ? `in its place, ${moment}` : 'in its place', points }];
  });
  return [
    {
      title: 'Value',
      caption: `What becomes of a value${surrogates.length > 0 ? ', and the function whose gradient stands in for it' : ''}.${where}`,
      ...{ x: 'x', y: 'value' },
      series: [
        { name: 'value', points: x.map((one, i): Point => [one, values[i] ?? Number.NaN]) },
        ...surrogates,
      ],
    },
    {
      title: 'Gradient',
      caption: `What a gradient is multiplied by on its way back.${where}`,
      ...{ x: 'x', y: 'gradient' },
      series: moments.map(([moment, time]) => {
        const at = quantizer.at(time);
        return {
          name: changes ? moment : 'gradient',
          points: x.map((one): Point => [one, passed(at, one)]),
        };
      }),
    },
  ];
}

/** A rate and a gradient at which what the common optimizers do can be seen. */
const RATE = 0.02;
const GRADIENT = 0.1;

function ofOptimizer(optimizer: Optimizer): MethodFigure {
  const slots: Record<string, number> = {};
  let w = optimizer.definition.signsOnly === true ? 1 : 0.5;
  let measured = optimizer.definition.measure?.start ?? 0;
  const path: Point[] = [[0, w]];
  for (let step = 0; step < STEPS; step++) {
    const time = { step, steps: STEPS, epochSteps: EPOCH_STEPS, rate: RATE };
    const row = optimizer.scalarsAt(time);
    const scalars = Object.fromEntries(optimizer.scalars.map((name, i) => [name, row[i] ?? 0]));
    const g = step < STEPS / 2 ? GRADIENT : -GRADIENT;
    const was = w;
    const { twin, measure } = optimizer.definition;
    const next = twin(
      { w, g, slots, scalars, stepScale: 1, measured, chance: 0.5 },
      optimizer.parameters as never,
    );
    // Binary weights are clipped after every step.
    w = Math.max(-1, Math.min(1, next));
    // The mean over a tensor of one weight.
    if (measure !== undefined)
      measured = measure.twin({ was, now: w, g, slots, measured }, optimizer.parameters as never);
    path.push([step + 1, w]);
  }
  return {
    title: 'A weight under a steady gradient',
    caption: `The gradient is ${GRADIENT} for ${STEPS / 2} steps, then -${GRADIENT}; the learning rate is ${RATE}, an epoch has ${EPOCH_STEPS} steps, and the weight is clipped to [-1, 1].`,
    ...{ x: 'step', y: 'weight' },
    series: [{ name: 'weight', points: path }],
  };
}

function ofPenalty(penalty: Penalty): MethodFigure {
  const w = grid(-1.5, 1.5);
  // What edits gradients and adds to no loss is seen at gradients.
  if (w.every((one) => penalty.twin(one, 0) === 0)) {
    return {
      title: 'Gradient',
      caption: 'What becomes of the gradient of a weight of 0.5.',
      ...{ x: 'g', y: '' },
      series: [{ name: 'gradient', points: w.map((g): Point => [g, penalty.twin(0.5, g)]) }],
    };
  }
  const values = w.map((one) => penalty.value(one));
  return {
    title: 'Penalty',
    caption: 'What it adds to the loss of a weight, and to its gradient.',
    ...{ x: 'w', y: '' },
    series: [
      ...(values.includes(undefined)
        ? []
        : [{ name: 'value', points: w.map((one, i): Point => [one, values[i] ?? Number.NaN]) }]),
      { name: 'gradient', points: w.map((one): Point => [one, penalty.twin(one, 0)]) },
    ],
  };
}

function ofLoss(loss: Loss): MethodFigure {
  const outputs = grid(-3, 3);
  const rows = outputs.map((o) => loss.twin({ outputs: [o, 0], wanted: [1, 0], taught: [1, 0] }));
  return {
    title: 'Loss',
    caption: `Of two outputs the first is wanted and varies, the other is 0${loss.teacher ? '; the teacher says 1 and 0' : ''}.`,
    ...{ x: 'output', y: '' },
    series: [
      { name: 'loss', points: outputs.map((o, i): Point => [o, rows[i]?.loss ?? Number.NaN]) },
      { name: 'gradient', points: outputs.map((o, i): Point => [o, rows[i]?.gradient[0] ?? Number.NaN]) },
    ],
  };
}

/** Random numbers that what augmentations do is drawn for. */
const DRAWN = [0.05, 0.5, 0.95];
const EXTENT: Place = [28, 28];

/** What is done to the row of pixels through the centre; nothing of augmentations with kernels of their own. */
function ofAugmentation({ definition, parameters }: Augmentation): MethodFigure[] {
  const numbersOf = DRAWN.map(
    (drawn) => [`random numbers of ${drawn}`, Array<number>(4).fill(drawn)] as const,
  );
  switch (definition.stage) {
    case 'move':
      return [
        {
          title: 'Where pixels come from',
          caption:
            'Places that the pixels of the row through the centre are taken from, of an image of 28 by 28.',
          ...{ x: 'across', y: 'down' },
          series: numbersOf.map(([name, random]) => ({
            name,
            points: grid(-14, 14).map((x): Point => {
              const [across, down] = definition.twin([x, 0], EXTENT, random, parameters);
              return [across, down];
            }),
          })),
        },
      ];
    case 'change':
      return [
        {
          title: 'Value',
          caption:
            'What becomes of the values of the row through the centre, which rise from -1 to 1, of an image of 28 by 28.',
          ...{ x: 'across', y: 'value' },
          series: numbersOf.map(([name, random]) => ({
            name,
            points: grid(0, 28).map((x): Point => {
              const at = { here: [x, 14] as const, extent: EXTENT, middle: 0, span: 2 };
              return [x, definition.twin(x / 14 - 1, at, random, parameters)];
            }),
          })),
        },
      ];
    default:
      return [];
  }
}
