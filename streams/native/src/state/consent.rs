//! Consent: the latest decision per purpose (`consent.py`).

use std::sync::Arc;

use crate::events::Event;
use crate::state::signals::{kinds, Signal, SignalBook};
use crate::state::values::bounded::Bounded;
use crate::touchpoint::Decision;

#[derive(Default)]
pub struct Consent {
    decisions: Bounded<(i64, Decision)>,
    withdrawn: Bounded<Arc<Signal>>,
}

impl Consent {
    /// Takes a decision, which is no earlier than the last.
    pub fn decide(&mut self, purpose: &str, decision: Decision, at: i64, event: &Event, book: &SignalBook) {
        let known = self.decisions.get(purpose).copied();
        if known.is_some_and(|(known_at, known)| known_at == at && known >= decision) {
            return;
        }
        self.decisions.put(purpose, (at, decision));
        if decision == Decision::Granted {
            self.withdrawn.remove(purpose);
            return;
        }
        let granted = known.is_some_and(|(_, known)| known == Decision::Granted);
        if !self.withdrawn.contains(purpose) && (decision == Decision::Revoked || granted) {
            let details = vec![("purpose", purpose.to_owned()), ("decision", decision.name().to_owned())];
            let (event, about) = (std::slice::from_ref(event), format!("/{purpose}"));
            let signal = book.make_about(&kinds::CONSENT_WITHDRAWN, at, event, details, &about);
            self.withdrawn.put(purpose, signal);
        }
    }

    /// Purposes, sorted, with the latest decision of each.
    pub fn records(&self) -> Vec<(&str, Decision)> {
        self.decisions.sorted().into_iter().map(|(purpose, (_, decision))| (purpose, *decision)).collect()
    }

    pub fn withdrawals(&self) -> impl Iterator<Item = &Arc<Signal>> {
        self.withdrawn.iter().map(|(_, signal)| signal)
    }
}
