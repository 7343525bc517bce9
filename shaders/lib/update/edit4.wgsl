// What the gradient of four weights becomes before the optimizer has it.
//
// needs  gradient (a quantizer's), penalized (a penalty's)
//!needs gradient, Lane, penalized
//!gives edited
fn edited(w: Lane, g: Lane) -> Lane {
  let passed = g * vec4f(gradient(w.x), gradient(w.y), gradient(w.z), gradient(w.w));
  return vec4f(
    penalized(w.x, passed.x),
    penalized(w.y, passed.y),
    penalized(w.z, passed.z),
    penalized(w.w, passed.w),
  );
}
