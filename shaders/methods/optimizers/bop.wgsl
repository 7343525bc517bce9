// Bop (Helwegen et al. 2019, algorithm 1): m <- (1 - gamma) m + gamma g; a weight flips where w m > threshold, with the
// updated m. There are only signs: what comes back is -1 or 1.
struct Slots {
  m: Lane,
}

struct Scalars {
  gamma: f32,
  threshold: f32,
}

fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
  let m = (*slots).m + scalars.gamma * (g - (*slots).m);
  (*slots).m = m;
  let sign = sign_lanes(w);
  return select(sign, -sign, sign * m > Lane(scalars.threshold));
}
