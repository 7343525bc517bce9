/** Finished layers of a survey that may be broken off, as a file keeps them; every field is read by its name. */
import * as v from 'valibot';
import type { LayerSurvey } from '../geometry/survey.ts';
import { checked } from './story.ts';

/** What decides the numbers: they must be the same when a survey goes on. */
export interface SurveyKey {
  /** The path that was given; only ever compared with the one that is. */
  readonly model: string;
  readonly nearZero: number;
  readonly rotate: boolean;
  readonly pairs: boolean;
  readonly axis: number;
  /** Absent in older files. */
  readonly groups?: boolean;
}

export interface SavedLayer {
  /** Shape of the tensor as it is stored. */
  readonly stored: readonly number[];
  readonly layer: LayerSurvey;
}

export const NO_SURVEY = 'This file holds no survey.';
export const SURVEY_REMEDY = 'name a file that --resume wrote, or one that does not exist yet';

/** JSON has no NaN, the angle of a layer of zeros: it is kept as null. */
const measured = v.pipe(
  v.nullable(v.pipe(v.number(), v.finite())),
  v.transform((value) => value ?? Number.NaN),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shape = v.pipe(v.array(count), v.maxLength(16));
const numbers = (most: number) => v.pipe(v.array(measured), v.maxLength(most));

/** One layer, as files and queues have it. */
export const layerSchema = v.object({
  name: v.string(),
  shape,
  format: v.pipe(v.string(), v.maxLength(16)),
  filters: count,
  dimension: count,
  meanAngle: measured,
  sdAngle: measured,
  expectedAngle: measured,
  expectedSd: measured,
  angles: numbers(4096),
  density: v.object({
    from: measured,
    to: measured,
    counts: numbers(2 ** 16),
  }),
  ternary: v.object({ threshold: measured, angle: measured }),
  residualAngles: numbers(32),
  twoBitAngle: measured,
  rotatedAngle: v.exactOptional(measured),
  pairs: v.exactOptional(
    v.object({
      largestCosine: measured,
      meanCosine: measured,
      sdCosine: measured,
      participation: measured,
      duplicates: count,
      negatedDuplicates: count,
    }),
  ),
  patterns: v.exactOptional(numbers(512)),
  oneBit: v.exactOptional(
    v.object({
      norm: measured,
      groups: v.pipe(
        v.array(
          v.object({
            ...{ size: count, bits: measured, angle: measured, error: measured },
            ...{ expectedAngle: measured, expectedError: measured },
          }),
        ),
        v.maxLength(16),
      ),
    }),
  ),
  meanScale: measured,
  meanError: measured,
  meanDeviation: measured,
  meanKurtosis: measured,
  positiveShare: measured,
  signEntropy: measured,
  nearZeroShare: measured,
  saturatedShare: measured,
  zeroFilters: count,
  nonFinite: count,
});

const surveySchema = v.object({
  version: v.literal(1),
  key: v.object({
    model: v.string(),
    nearZero: v.number(),
    rotate: v.boolean(),
    pairs: v.boolean(),
    axis: v.pipe(v.number(), v.safeInteger()),
    groups: v.exactOptional(v.boolean()),
  }),
  layers: v.array(
    v.object({
      stored: shape,
      layer: layerSchema,
    }),
  ),
});

/** @throws FormatError that names the first field which is missing, of another type or out of range */
export function parseSurvey(
  text: string,
  where: string,
): { readonly key: SurveyKey; readonly layers: readonly SavedLayer[] } {
  return checked(text, surveySchema, { what: NO_SURVEY, where, remedy: SURVEY_REMEDY });
}
