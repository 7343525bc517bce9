/**
 * Counts the GPU memory this library holds: every buffer is entered when it is made and struck out when it is
 * destroyed, so that growth and leaks are numbers.
 */
export class MemoryLedger {
  #bytes = 0;
  #peak = 0;
  #count = 0;

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Most bytes ever held at once. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** Buffers held now. */
  get buffers(): number {
    return this.#count;
  }

  /** Notes a buffer that was made. */
  enter(bytes: number): void {
    this.#bytes += bytes;
    this.#count += 1;
    this.#peak = Math.max(this.#peak, this.#bytes);
  }

  /** Notes a buffer that was destroyed. */
  strike(bytes: number): void {
    this.#bytes -= bytes;
    this.#count -= 1;
  }
}
