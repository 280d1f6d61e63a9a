//! Counting rules of the user: `counting.py`.

use std::collections::VecDeque;

use crate::events::Event;
use crate::rules::Rules;
use crate::state::signals::{SignalBook, MAX_CAUSES};

#[derive(Default)]
struct Count {
    /// Time and event of the newest touchpoints.
    seen: VecDeque<(i64, Event)>,
    met_at: Option<i64>,
}

/// The newest touchpoints of each rule that counts them.
#[derive(Default)]
pub struct Counts(Vec<(usize, Count)>);

impl Counts {
    /// Counts a touchpoint; raises the rule's signal when it is met, at most once a window.
    pub fn note(&mut self, index: usize, at: i64, event: &Event, rules: &Rules, book: &mut SignalBook) {
        let rule = &rules.counts[index];
        let place = self.0.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.0.push((index, Count::default()));
            self.0.len() - 1
        });
        let count = &mut self.0[place].1;
        if count.seen.len() == rule.at_least {
            count.seen.pop_front();
        }
        count.seen.push_back((at, event.clone()));
        if count.seen.len() < rule.at_least
            || count.seen.front().is_some_and(|first| at - first.0 > rule.within_ms)
        {
            return;
        }
        if count.met_at.is_none_or(|met_at| at - met_at > rule.within_ms) {
            count.met_at = Some(at);
            let start = count.seen.len().saturating_sub(MAX_CAUSES);
            let causes: Vec<Event> = count.seen.range(start..).map(|(_, event)| event.clone()).collect();
            book.remember(&rule.name, at, &causes, vec![("touchpoints", rule.at_least.to_string())]);
        }
    }
}
