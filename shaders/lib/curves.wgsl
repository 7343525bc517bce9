// Functions of single values and their slopes. They never overflow: exp is taken of what is not positive.
//!gives curve, slope
override KIND: u32; // 0 sigmoid, 1 tanh, 2 leaky relu, 3 selu
override ALPHA: f32; // slope below zero of leaky relu

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

fn sigmoid_of(x: f32) -> f32 {
  let share = exp(-abs(x));
  return select(1.0, share, x < 0.0) / (1.0 + share);
}

fn tanh_of(x: f32) -> f32 {
  if (abs(x) < 0.05) {
    let square = x * x;
    return x * (1.0 - square / 3.0 * (1.0 - 0.4 * square)); // the quotient below would cancel
  }
  let share = exp(-2.0 * abs(x));
  return sign(x) * (1.0 - share) / (1.0 + share);
}

fn curve(x: f32) -> f32 {
  switch KIND {
    case 0u: { return sigmoid_of(x); }
    case 1u: { return tanh_of(x); }
    case 2u: { return select(x, ALPHA * x, x < 0.0); }
    default: { return SELU_SCALE * select(x, SELU_ALPHA * (exp(min(x, 0.0)) - 1.0), x < 0.0); }
  }
}

fn slope(x: f32) -> f32 {
  switch KIND {
    case 0u: {
      let y = sigmoid_of(x);
      return y * (1.0 - y);
    }
    case 1u: {
      let y = tanh_of(x);
      return 1.0 - y * y;
    }
    case 2u: { return select(1.0, ALPHA, x < 0.0); }
    default: { return SELU_SCALE * select(1.0, SELU_ALPHA * exp(min(x, 0.0)), x < 0.0); }
  }
}
