// Stochastic gradient descent with momentum: v <- momentum v + g, w <- w - rate v.
override MOMENTUM: f32;

struct Slots {
  velocity: Lane,
}

struct Scalars {
  rate: f32,
}

fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
  let velocity = g + MOMENTUM * (*slots).velocity;
  (*slots).velocity = velocity;
  return w - (scalars.rate * STEP_SCALE) * velocity;
}
