//! Counts that decay with event time: `forward_decay.py`.

use std::hint::black_box;

const LANDMARK_MS: i64 = 2_051_222_400_000;
const MOST: f64 = 1000.0;

/// The weight of a touchpoint at an event time (UTC ms); it doubles each half-life (ms).
pub fn weight(at: i64, half_life: i64) -> f64 {
    let distance = at.saturating_sub(LANDMARK_MS) as f64 / half_life as f64;
    // the optimiser would call exp2, whose last bit may differ from that of Python's power
    black_box(2.0f64).powf(distance.clamp(-MOST, MOST))
}
