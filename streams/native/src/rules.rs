//! The rules and the meaning of each type, compiled by Python (`streams/journeys/rules/`) and handed over as data.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The name of a rule or of a kind of signal.
#[derive(Clone)]
pub enum Kind {
    BuiltIn(&'static str),
    OfRules(Arc<str>),
}

impl Deref for Kind {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Kind::BuiltIn(name) => name,
            Kind::OfRules(name) => name,
        }
    }
}

impl FromPyObject<'_> for Kind {
    fn extract_bound(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Kind::OfRules(value.extract::<String>()?.into()))
    }
}

/// A set of expectations: a bit for each, by its index.
pub type Names = u64;
pub const MOST_EXPECTATIONS: usize = 64;

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ExpectationRule {
    pub name: Kind,
    /// None: until the end of the session in which it was opened.
    pub within_ms: Option<i64>,
    pub any_session: bool,
    /// The kind that is raised when it is missed.
    pub signal: Kind,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct CountRule {
    pub name: Kind,
    pub at_least: usize,
    pub within_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    OrderPlaced,
    OrderReturned,
    OrderCancelled,
    IssueOpened,
    IssueSolved,
    Survey,
    /// One that means nothing more to the fold than what the meaning says.
    Other,
}

impl FromPyObject<'_> for Effect {
    fn extract_bound(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(match value.extract::<String>()?.as_str() {
            "order_placed" => Effect::OrderPlaced,
            "order_returned" => Effect::OrderReturned,
            "order_cancelled" => Effect::OrderCancelled,
            "issue_opened" => Effect::IssueOpened,
            "issue_solved" => Effect::IssueSolved,
            "survey" => Effect::Survey,
            "cart_opened" | "checkout_started" | "refund" => Effect::Other,
            other => return Err(PyValueError::new_err(format!("unknown effect {other}"))),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Ouch,
    Wow,
}

impl FromPyObject<'_> for Moment {
    fn extract_bound(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        match value.extract::<String>()?.as_str() {
            "ouch" => Ok(Moment::Ouch),
            "wow" => Ok(Moment::Wow),
            other => Err(PyValueError::new_err(format!("unknown moment {other}"))),
        }
    }
}

/// The meaning of one touchpoint type, as `meaning.py` documents it. Stages, components and rules are indexes.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Meaning {
    pub name: String,
    pub component: usize,
    pub stage: Option<usize>,
    pub stage_rank: i64,
    pub inbound: bool,
    pub internal: bool,
    pub friction: f64,
    pub points: i64,
    pub moment: Option<Moment>,
    pub effect: Option<Effect>,
    pub survey: bool,
    pub marketing: bool,
    pub money: bool,
    pub bad: bool,
    pub good: bool,
    pub opens: Vec<usize>,
    pub meets: Names,
    pub counts: Vec<usize>,
    /// Index of the meaning of a further touchpoint of an order that is counted.
    pub repeated: Option<usize>,
}

/// Everything that the fold looks up. The names of its fields are those of `JourneyRules` and `Meanings`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Rules {
    pub session_gap_ms: i64,
    pub session_cap_ms: i64,
    pub friction_half_life_ms: i64,
    pub sentiment_half_life_ms: i64,
    pub trend_half_life_ms: i64,
    pub effort_days: i64,
    pub effort_half_points: i64,
    pub effort_handoff: i64,
    pub effort_repeat_contact: i64,
    pub effort_channel_switch: i64,
    pub marketing_days: i64,
    pub detractor_at_most: f64,
    pub friction_spike: f64,
    pub sentiment_below: f64,
    pub repeat_contacts: i64,
    pub hopping_channels: usize,
    pub hopping_switches: usize,
    pub hopping_window_ms: i64,
    pub issue_overdue_ms: i64,
    pub expectations: Vec<ExpectationRule>,
    pub counts: Vec<CountRule>,
    pub enabled: HashSet<String>,
    pub moments: HashSet<String>,
    pub missed: HashSet<String>,
    pub words: HashMap<String, String>,
    pub human_channels: HashSet<String>,
    pub channel_aliases: HashMap<String, String>,
    /// Names of stages and components, each sorted.
    pub stages: Vec<String>,
    pub components: Vec<String>,
    pub meanings: Vec<Meaning>,
    /// Type, or alias of one, to the index of its meaning.
    pub types: HashMap<String, usize>,
    /// Index of the meaning of all other types.
    pub unknown: usize,
}

impl Rules {
    /// Whether indexes and sizes fit: the fold relies on it.
    pub fn check(self) -> PyResult<Self> {
        let fits = self.expectations.len() <= MOST_EXPECTATIONS
            && self.hopping_switches > 0
            && self.counts.iter().all(|rule| rule.at_least > 0)
            && self.types.values().chain([&self.unknown]).all(|index| *index < self.meanings.len())
            && self.meanings.iter().all(|meaning| {
                meaning.component < self.components.len()
                    && meaning.stage.is_none_or(|stage| stage < self.stages.len())
                    && meaning.opens.iter().all(|rule| *rule < self.expectations.len())
                    && meaning.counts.iter().all(|rule| *rule < self.counts.len())
                    && meaning.repeated.is_none_or(|index| index < self.meanings.len())
            });
        if fits {
            Ok(self)
        } else {
            Err(PyValueError::new_err("these are not the tables of native_fold.py"))
        }
    }

    pub fn meaning(&self, kind: &str) -> &Meaning {
        &self.meanings[self.meaning_index(kind)]
    }

    pub fn meaning_index(&self, kind: &str) -> usize {
        self.types.get(kind).copied().unwrap_or(self.unknown)
    }

    /// The channel by its catalogue name.
    pub fn channel<'a>(&'a self, name: &'a str) -> &'a str {
        self.channel_aliases.get(name).map_or(name, String::as_str)
    }

    /// The bit of an expectation's name, if there is such a rule.
    pub fn bit(&self, name: &str) -> Names {
        self.expectations.iter().position(|rule| &*rule.name == name).map_or(0, |index| 1 << index)
    }
}
