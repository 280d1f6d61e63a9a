//! The identifiers that own the touchpoints of a journey: `owners.py`.

use std::sync::Arc;

use crate::events::Event;
use crate::state::signals::{kinds, Signal, SignalBook};
use crate::state::values::bounded::MAX_NAMES;

#[derive(Default)]
pub struct Owners {
    /// Type and value, in the order of their first touchpoints.
    known: Vec<(Box<str>, Box<str>)>,
    pub merged: Vec<Arc<Signal>>,
}

impl Owners {
    /// Notes the owner of the next touchpoint in fold order. Every owner but the first is a signal.
    pub fn note(&mut self, owner: (&str, &str), at: i64, event: &Event, tenant: &str, book: &mut SignalBook) {
        let known = self.known.iter().any(|(kind, value)| (&**kind, &**value) == owner);
        if known || self.known.len() >= MAX_NAMES {
            return;
        }
        if &*book.tenant != tenant {
            book.tenant = tenant.into();
        }
        self.known.push((owner.0.into(), owner.1.into()));
        if self.known.len() > 1 {
            let details = vec![("identifier_type", owner.0.to_owned())];
            self.merged.push(book.make(&kinds::PROFILE_MERGED, at, std::slice::from_ref(event), details));
        }
    }

    pub fn identifiers(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<_> = self.known.iter().map(|(kind, value)| (&**kind, &**value)).collect();
        found.sort_unstable();
        found
    }
}
