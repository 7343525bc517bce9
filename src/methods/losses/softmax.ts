/** Logarithms of the softmax of some numbers. */
export function logSoftmax(outputs: readonly number[], temperature = 1): number[] {
  const largest = outputs.reduce((most, o) => Math.max(most, o), Number.NEGATIVE_INFINITY);
  const above = outputs.map((o) => (o - largest) / temperature);
  const log = Math.log(above.reduce((sum, value) => sum + Math.exp(value), 0));
  return above.map((value) => value - log);
}
