/**
 * The memory plan: which transient tensors share a buffer. A tensor lives from the first dispatch that touches it to
 * the last; two tensors share a slot when their lives do not overlap. Slots are whole buffers, since WebGPU forbids
 * one dispatch to read and write different ranges of the same buffer.
 *
 * Pure arithmetic: nothing is allocated here, so a plan can be looked at, and refused, before it costs anything.
 */

export interface Lifetime {
  readonly bytes: number;
  /** Index of the first dispatch that touches the tensor. */
  readonly first: number;
  /** Index of the last one; the tensor's slot is free from the next dispatch on. */
  readonly last: number;
}

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

/**
 * Which of the buffers at hand serve the slots of a plan: the largest wish first, each the smallest buffer that holds
 * it.
 * @param have bytes of the buffers at hand
 * @param wanted bytes of the slots
 * @returns for each slot the index of its buffer, or −1 where a new one is needed
 */
export function matchSlots(have: readonly number[], wanted: readonly number[]): number[] {
  const free = have.map((bytes, index) => ({ bytes, index })).sort((a, b) => a.bytes - b.bytes);
  const matched = wanted.map(() => -1);
  const order = wanted.map((bytes, index) => ({ bytes, index })).sort((a, b) => b.bytes - a.bytes);
  for (const { bytes, index } of order) {
    const at = free.findIndex((buffer) => buffer.bytes >= bytes);
    if (at >= 0) matched[index] = free.splice(at, 1)[0]?.index ?? -1;
  }
  return matched;
}

/** The buffers that serve all of these plans, one plan at a time, when they are made in this order. */
export function sharedSlots(plans: readonly (readonly number[])[]): number[] {
  const buffers: number[] = [];
  for (const wanted of plans) {
    const matched = matchSlots(buffers, wanted);
    buffers.push(...wanted.filter((_, slot) => matched[slot] === -1));
  }
  return buffers;
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
