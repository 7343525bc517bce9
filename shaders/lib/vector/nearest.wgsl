// The K nearest of what is offered, in order: by distance, then in the order in which they were offered.
//!needs K
//!gives is_near, nearest_count, nearest_distances, nearest_places, offer

const MOST_NEAREST = 64u;

var<private> nearest_distances: array<u32, MOST_NEAREST>;
var<private> nearest_places: array<u32, MOST_NEAREST>;
var<private> nearest_count: u32 = 0u;

fn is_near(distance: u32) -> bool {
  return nearest_count < K || distance < nearest_distances[K - 1u];
}

fn offer(distance: u32, place: u32) {
  if (!is_near(distance)) {
    return;
  }
  var at = min(nearest_count, K - 1u);
  while (at > 0u && nearest_distances[at - 1u] > distance) {
    nearest_distances[at] = nearest_distances[at - 1u];
    nearest_places[at] = nearest_places[at - 1u];
    at--;
  }
  nearest_distances[at] = distance;
  nearest_places[at] = place;
  nearest_count = min(nearest_count + 1u, K);
}
