//! Lifecycle stages: `stages.py`. A stage is its index among the sorted names.

use std::sync::Arc;

use crate::events::Event;
use crate::rules::Rules;
use crate::state::signals::{kinds, Signal, SignalBook};

#[derive(Default)]
pub struct Stages {
    /// That of the newest touchpoint whose type names one.
    pub stage: Option<usize>,
    since: Option<i64>,
    /// Stage, when it was entered first, and the signal of that, in the order of entry.
    entered: Vec<(usize, i64, Arc<Signal>)>,
}

impl Stages {
    pub fn touch(&mut self, stage: usize, at: i64, event: &Event, rules: &Rules, book: &SignalBook) {
        if self.stage == Some(stage) {
            return;
        }
        (self.stage, self.since) = (Some(stage), Some(at));
        if !self.entered.iter().any(|known| known.0 == stage) {
            let details = vec![("stage", rules.stages[stage].clone())];
            let signal = book.make(&kinds::STAGE_ENTERED, at, std::slice::from_ref(event), details);
            self.entered.push((stage, at, signal));
        }
    }

    /// The start of the present stage; without a stage, the start of the journey.
    pub fn since(&self, first_seen: i64) -> i64 {
        self.since.unwrap_or(first_seen)
    }

    /// Stages, sorted, with the first time of each.
    pub fn records(&self) -> Vec<(usize, i64)> {
        let mut found: Vec<_> = self.entered.iter().map(|(stage, at, _)| (*stage, *at)).collect();
        found.sort_unstable();
        found
    }

    pub fn signals(&self) -> impl Iterator<Item = &Arc<Signal>> {
        self.entered.iter().map(|known| &known.2)
    }
}
