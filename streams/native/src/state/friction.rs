//! Friction: what went wrong lately, and its spikes (`friction.py`).

use std::collections::VecDeque;

use crate::events::Event;
use crate::numbers::fixed;
use crate::rules::Rules;
use crate::state::signals::{kinds, SignalBook};
use crate::state::values::decay::DecayedSum;

const FRICTION_CAUSES: usize = 5;

#[derive(Default)]
pub struct Friction {
    sum: DecayedSum,
    causes: VecDeque<Event>,
}

impl Friction {
    pub fn add(&mut self, friction: f64, at: i64, event: &Event, rules: &Rules, book: &mut SignalBook) {
        let (before, after) = self.sum.add(friction, at, rules.friction_half_life_ms);
        if self.causes.len() == FRICTION_CAUSES {
            self.causes.pop_front();
        }
        self.causes.push_back(event.clone());
        if before < rules.friction_spike && rules.friction_spike <= after {
            let details = vec![("friction", fixed(after, 2))];
            book.remember(&kinds::FRICTION_SPIKE, at, self.causes.make_contiguous(), details);
        }
    }

    pub fn value(&self, at: i64, rules: &Rules) -> f64 {
        self.sum.value(at, rules.friction_half_life_ms)
    }
}
