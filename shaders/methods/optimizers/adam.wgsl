// Adam (Kingma & Ba 2015) in Keras' form: the bias correction is folded into the rate.
override GAIN1: f32; // 1 - beta1
override GAIN2: f32; // 1 - beta2
override EPSILON: f32;

struct Slots {
  m: Lane,
  v: Lane,
}

struct Scalars {
  rate: f32,
}

fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
  let m = (*slots).m + GAIN1 * (g - (*slots).m);
  let v = (*slots).v + GAIN2 * (g * g - (*slots).v);
  (*slots).m = m;
  (*slots).v = v;
  return w - (scalars.rate * STEP_SCALE) * m / (sqrt(v) + EPSILON);
}
