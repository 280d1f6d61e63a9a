//! Exponentially decayed sums and means: `decay.py`.

use crate::numbers::half_to;

#[derive(Default)]
pub struct DecayedSum {
    value: f64,
    at: i64,
}

impl DecayedSum {
    /// Back from `dump`.
    pub fn load((value, at): (f64, i64)) -> Self {
        DecayedSum { value, at }
    }

    /// The sum as of its newest part, and when that was.
    pub fn dump(&self) -> (f64, i64) {
        (self.value, self.at)
    }

    /// Adds at an event time. Returns the sum before and after.
    pub fn add(&mut self, amount: f64, at: i64, half_life: i64) -> (f64, f64) {
        let before = self.value(at, half_life);
        self.value = before + amount;
        self.at = at;
        (before, self.value)
    }

    pub fn value(&self, at: i64, half_life: i64) -> f64 {
        if self.value == 0.0 {
            return 0.0;
        }
        self.value * half_to((at - self.at) as f64 / half_life as f64)
    }
}

#[derive(Default)]
pub struct DecayedMean {
    total: f64,
    weight: f64,
    at: i64,
}

impl DecayedMean {
    /// Adds at an event time. Returns the mean after it.
    pub fn add(&mut self, amount: f64, at: i64, half_life: i64) -> f64 {
        if self.weight == 0.0 {
            (self.total, self.weight) = (amount, 1.0);
        } else {
            let fade = half_to((at - self.at) as f64 / half_life as f64);
            self.total = self.total * fade + amount;
            self.weight = self.weight * fade + 1.0;
        }
        self.at = at;
        self.total / self.weight
    }

    pub fn value(&self) -> Option<f64> {
        (self.weight != 0.0).then(|| self.total / self.weight)
    }
}
