/** What was read of a file elsewhere, as `loadModel` gives it. */
import { foldForInference } from '../graph/index.ts';
import {
  assertLoadOptions,
  type LoadedModel,
  type LoadOptions,
  loadedOf,
  type ModelContent,
} from './load.ts';

/** Folds what was read and gives it its methods. */
export function compileContent(content: ModelContent, bytes: number, options: LoadOptions = {}): LoadedModel {
  assertLoadOptions(options);
  const { model, values } = content;
  return loadedOf(content, bytes, options.fold === false ? undefined : foldForInference(model, values));
}
