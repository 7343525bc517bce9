// What the gradient of a weight becomes before the optimizer has it.
//
// needs  gradient (a quantizer's), penalized (a penalty's)
//!needs gradient, Lane, penalized
//!gives edited
fn edited(w: Lane, g: Lane) -> Lane {
  return penalized(w, g * gradient(w));
}
