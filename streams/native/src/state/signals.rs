//! Signals: facts on which a service may act now (`signals.py`).

use std::sync::{Arc, OnceLock};

use pyo3::{Py, PyAny};

use crate::events::{event_id_of, Event};
use crate::profile_id::uuid5_text;
use crate::rules::{Kind, Rules};

/// UUIDv5 of the DNS namespace and "signals.touchline".
pub const NAMESPACE: [u8; 16] =
    [0x2c, 0xfe, 0x3f, 0x78, 0xfe, 0xb2, 0x56, 0x35, 0xa6, 0x89, 0x3d, 0xa7, 0xa1, 0xe9, 0x0c, 0x51];

/// Moments that one journey remembers.
const MAX_MOMENTS: usize = 50;
/// Touchpoints that a signal names as its cause.
pub const MAX_CAUSES: usize = 5;

pub type Details = Vec<(&'static str, String)>;

pub struct Signal {
    pub kind: Kind,
    pub subject_id: String,
    pub occurred_at: i64,
    pub event_ids: Vec<String>,
    pub details: Details,
    /// event_key of the last cause.
    pub event: Event,
    /// The Signal of `signals.py`, once somebody asked for it.
    pub object: OnceLock<Py<PyAny>>,
}

impl Signal {
    pub fn order(&self) -> (i64, &str, &str) {
        (self.occurred_at, &self.kind, &self.subject_id)
    }
}

/// The built-in kinds that no rule of the user's names.
pub mod kinds {
    use crate::rules::Kind;

    pub const STAGE_ENTERED: Kind = Kind::BuiltIn("stage_entered");
    pub const CONSENT_WITHDRAWN: Kind = Kind::BuiltIn("consent_withdrawn");
    pub const PROFILE_MERGED: Kind = Kind::BuiltIn("profile_merged");
    pub const DETRACTOR: Kind = Kind::BuiltIn("detractor");
    pub const FRICTION_SPIKE: Kind = Kind::BuiltIn("friction_spike");
    pub const SENTIMENT_DROP: Kind = Kind::BuiltIn("sentiment_drop");
    pub const REPEAT_CONTACT: Kind = Kind::BuiltIn("repeat_contact");
    pub const CHANNEL_HOPPING: Kind = Kind::BuiltIn("channel_hopping");
    pub const ISSUE_OVERDUE: Kind = Kind::BuiltIn("issue_overdue");
}

/// Makes the signals of one journey, and keeps its moments.
#[derive(Default)]
pub struct SignalBook {
    moments: Vec<Arc<Signal>>,
    pub tenant: Box<str>,
}

impl SignalBook {
    /// A signal about the last of the events that caused it.
    pub fn make(&self, kind: &Kind, at: i64, events: &[Event], details: Details) -> Arc<Signal> {
        self.make_about(kind, at, events, details, "")
    }

    /// The same about what `about` adds to the last event.
    pub fn make_about(
        &self,
        kind: &Kind,
        at: i64,
        events: &[Event],
        details: Details,
        about: &str,
    ) -> Arc<Signal> {
        let event = events.last().cloned().unwrap_or_else(|| Event::from(""));
        Arc::new(Signal {
            kind: kind.clone(),
            subject_id: uuid5_text(&NAMESPACE, &[&self.tenant, "/", kind, "/", &event, about]),
            occurred_at: at,
            event_ids: events.iter().map(|event| event_id_of(event).to_owned()).collect(),
            details,
            event,
            object: OnceLock::new(),
        })
    }

    /// Makes and keeps a signal that no later touchpoint can make untrue.
    pub fn remember(&mut self, kind: &Kind, at: i64, events: &[Event], details: Details) {
        self.keep(self.make(kind, at, events, details));
    }

    pub fn keep(&mut self, signal: Arc<Signal>) {
        self.moments.push(signal);
        if self.moments.len() > MAX_MOMENTS {
            self.moments.remove(0);
        }
    }

    pub fn moments(&self) -> &[Arc<Signal>] {
        &self.moments
    }

    /// Whether newer moments evicted a signal with this order.
    pub fn lets_go(&self, order: (i64, &str, &str)) -> bool {
        self.moments.len() == MAX_MOMENTS && order < self.moments[0].order()
    }
}

/// A kind's rule in words; the kind itself if there is no such rule.
pub fn words<'a>(rules: &'a Rules, kind: &'a str) -> &'a str {
    rules.words.get(kind).map_or(kind, String::as_str)
}
