/**
 * What each method that pages know by name does, in a few words. It stands apart from them so that pages which train don't
 * carry it: lists and pages of methods import it. Other methods and those of guests say `about` in their definitions.
 */
import type { Method } from './method.ts';

/** By name; names are of one method, whatever its kind. */
export const ABOUT: Readonly<Record<string, string>> = {
  adaBin: 'two values of each filter, around its mean',
  adam: 'gradient descent by averages of the gradient and its square, on latent weights',
  approxSign: 'signs with the slope of a piecewise polynomial, which is steepest at 0',
  binaryCrossEntropy: 'a logistic output each: several labels a sample, or one output for two classes',
  bop: 'no latent weights: a sign flips where the average of its gradients says so',
  crossEntropy: 'the softmax of the outputs against the label',
  distillation: "a teacher's softened outputs beside the label",
  doReFa: 'activations of a few bits, uniform in [0, 1]',
  huber: 'square near what is wanted, linear farther away',
  irNet:
    'signs of standardised weights, times a power of two, with a slope that grows steeper over the training',
  magnitudeAwareSign: 'signs times the mean magnitude of their row',
  meanAbsolute: 'the mean absolute error',
  meanSquare: 'the mean square error',
  proxQuant: 'Adam on real weights that are pulled to their signs more strongly in every epoch',
  reActSign: 'signs around a threshold that is learned of each channel',
  sgd: 'gradient descent with momentum, on latent weights',
  siMan: 'half of the weights of each filter are +1: those of the larger magnitude',
  squaredHinge: 'the square of what an output lacks to a margin of 1: the loss of the papers',
  steHeaviside: '1 or 0, with a gradient inside a window',
  steIdentity: 'signs whose gradient passes everywhere',
  steSign: 'signs whose gradient passes inside a window',
  steTern: '-1, 0 or 1 by a threshold: two planes of signs',
  stochasticSign: 'signs that are drawn anew in every step of a training',
  swishSign: 'signs with the slope of the signed swish function',
  towardsSigns: 'a concave penalty, least at -1 and 1: it drives latent weights to their signs',
  weightDecay: 'half the squared length of the latent weights',
};

/** What a method does in a few words; of one that doesn't say, its formula. */
export function aboutOf({ name, definition }: Pick<Method, 'name' | 'definition'>): string {
  return definition.about ?? ABOUT[name] ?? definition.formula;
}
