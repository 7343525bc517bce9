/**
 * The memory plan: which transient tensors share a buffer. A tensor lives from the first dispatch that touches it to
 * the last; two tensors share a slot when their lives do not overlap. Slots are whole buffers, since WebGPU forbids
 * one dispatch to read and write different ranges of the same buffer.
 *
 * Pure arithmetic: nothing is allocated here, so a plan can be looked at, and refused, before it costs anything.
 */

export interface Lifetime {
  readonly bytes: number;
  /** Index of the first dispatch that touches the tensor; −1 if it is filled before all of them. */
  readonly first: number;
  /** Index of the last one; the tensor's slot is free from the next dispatch on. */
  readonly last: number;
}

/** Which tensors share memory: those that are never in use at once. */
export interface SlotPlan {
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Slot of each lifetime, in the order given. */
  readonly assignment: readonly number[];
  /** Sum of the slots: what the plan needs while it runs. */
  readonly peakBytes: number;
  /** Largest sum of tensors alive at once: no plan can need less. */
  readonly lowerBound: number;
}

/**
 * Assigns lifetimes to slots, large tensors first: each goes to the free slot that it fits best, or else opens one.
 * @param granule slots are rounded up to a multiple of this many bytes
 */
export function planSlots(lifetimes: readonly Lifetime[], granule = 256): SlotPlan {
  const slots: { bytes: number; tenants: Lifetime[] }[] = [];
  const assignment = new Array<number>(lifetimes.length).fill(-1);
  const bySize = lifetimes
    .map((lifetime, index) => ({ lifetime, index }))
    .sort((a, b) => b.lifetime.bytes - a.lifetime.bytes || a.lifetime.first - b.lifetime.first);

  for (const { lifetime, index } of bySize) {
    // Slots only shrink in this order, so the last one that is free wastes least.
    let chosen = -1;
    slots.forEach((slot, candidate) => {
      if (slot.tenants.every((other) => other.last < lifetime.first || lifetime.last < other.first)) {
        chosen = candidate;
      }
    });
    if (chosen < 0) {
      chosen = slots.length;
      slots.push({ bytes: Math.ceil(lifetime.bytes / granule) * granule, tenants: [] });
    }
    slots[chosen]?.tenants.push(lifetime);
    assignment[index] = chosen;
  }

  return {
    slots: slots.map((slot) => slot.bytes),
    assignment,
    peakBytes: slots.reduce((sum, slot) => sum + slot.bytes, 0),
    lowerBound: mostAlive(lifetimes),
  };
}

/** Buffers that serve the slots of one more plan. */
export interface GrownSlots {
  /** Bytes of each buffer: those at hand, some of them larger, and then new ones. */
  readonly bytes: readonly number[];
  /** For each slot of the plan, the index of its buffer. */
  readonly matched: readonly number[];
}

/**
 * Makes the buffers at hand serve another plan, one plan at a time: the largest buffer takes the largest slot and so on, and
 * grows where it is too small. No other way to share them takes fewer bytes, and plans that need no more than the largest of
 * them take no more than it.
 * @param have bytes of the buffers at hand
 * @param wanted bytes of the slots
 */
export function growSlots(have: readonly number[], wanted: readonly number[]): GrownSlots {
  const descending = (sizes: readonly number[]) =>
    sizes.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
  const bytes = [...have];
  const buffers = descending(have);
  const matched = wanted.map(() => -1);
  descending(wanted).forEach((slot, rank) => {
    const buffer = buffers[rank] ?? bytes.length;
    bytes[buffer] = Math.max(bytes[buffer] ?? 0, wanted[slot] ?? 0);
    matched[slot] = buffer;
  });
  return { bytes, matched };
}

/** The buffers that serve all of these plans, one plan at a time. */
export function sharedSlots(plans: readonly (readonly number[])[]): readonly number[] {
  return plans.reduce<readonly number[]>((have, wanted) => growSlots(have, wanted).bytes, []);
}

function mostAlive(lifetimes: readonly Lifetime[]): number {
  const changes = lifetimes
    .flatMap(({ bytes, first, last }) => [
      { at: first, bytes },
      { at: last + 1, bytes: -bytes },
    ])
    .sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  let alive = 0;
  let most = 0;
  for (const change of changes) {
    alive += change.bytes;
    most = Math.max(most, alive);
  }
  return most;
}
