//! What a worker keeps of one profile: `streams/journeys/journey.py`.

use std::collections::VecDeque;

use crate::events::Event;
use crate::prediction::names::{name_of, number_of};
use crate::prediction::recent_path::{Predicted, RecentPath};
use crate::prediction::risk::Standing;
use crate::rules::Rules;
use crate::signals::told::Told;
use crate::state::values::bounded::Bounded;
use crate::state::values::decay::DecayedSum;
use crate::timeline::timeline::Timeline;

/// Rules and catalogue, and what types are to predictions.
pub struct Meant {
    pub rules: Rules,
    /// By the index of a meaning.
    pub predicted: Vec<Predicted>,
}

impl Meant {
    pub fn new(rules: Rules) -> Self {
        let predicted = rules.meanings.iter().map(|meaning| Predicted::of(meaning, &rules)).collect();
        Meant { rules, predicted }
    }
}

/// A profile's timeline, what its subscribers have been told, and its recent path, rebuilt when it is needed.
pub struct Journey<R> {
    pub timeline: Timeline<R>,
    pub told: Told,
    pub path: Option<RecentPath>,
}

impl<R> Default for Journey<R> {
    /// A profile that nobody has heard of: whatever holds is news.
    fn default() -> Self {
        let told = Told { signals: Some(Vec::new()), unconfirmed: true, last: None };
        Journey { timeline: Timeline::default(), told, path: None }
    }
}

impl<R> Journey<R> {
    /// Makes it what recovery finds: what subscribers know follows from when it was published last.
    pub fn restored(&mut self) {
        self.told = Told { signals: None, unconfirmed: false, last: self.told.last.take() };
        self.timeline.version = self.told.last.as_ref().map_or(0, |last| last.version);
        self.timeline.unsettled = true;
        self.path = None;
    }

    /// Forgets what follows from the touchpoints, after a failure while it was worked out.
    pub fn doubt(&mut self) {
        self.timeline.forget();
        self.path = None;
    }
}

/// A recent path as `RecentPath.dump` gives it: newest stamp, stage, type, friction, issues, acts, risks.
pub type PathDump = (
    (i64, String),
    String,
    String,
    (f64, i64),
    Vec<(String, bool)>,
    Vec<(String, String)>,
    Option<Vec<(i64, (String, String, u8, bool))>>,
);

impl RecentPath {
    /// Back from `dump`.
    pub fn load((last, stage, kind, friction, issues, acts, risks): PathDump) -> Self {
        let mut known = Bounded::default();
        issues.iter().for_each(|(issue_id, open)| known.put(issue_id, *open));
        let standing = |(stage, kind, friction, open_issue): (String, String, u8, bool)| Standing {
            stage: number_of(&stage),
            kind: number_of(&kind),
            friction,
            open_issue,
        };
        RecentPath {
            last: (last.0, Event::from(last.1)),
            stage: number_of(&stage),
            kind: number_of(&kind),
            friction: DecayedSum::load(friction),
            issues: known,
            acts: acts.iter().map(|(stage, kind)| (number_of(stage), number_of(kind))).collect(),
            risks: risks
                .map(|risks| risks.into_iter().map(|(at, one)| (at, standing(one))).collect::<VecDeque<_>>()),
        }
    }

    pub fn dump(&self) -> PathDump {
        let text = |number| name_of(number).to_string();
        let standing = |one: &Standing| (text(one.stage), text(one.kind), one.friction, one.open_issue);
        (
            (self.last.0, self.last.1.to_string()),
            text(self.stage),
            text(self.kind),
            self.friction.dump(),
            self.issues.iter().map(|(issue_id, open)| (issue_id.to_owned(), *open)).collect(),
            self.acts.iter().map(|(stage, kind)| (text(*stage), text(*kind))).collect(),
            self.risks.as_ref().map(|risks| risks.iter().map(|(at, one)| (*at, standing(one))).collect()),
        )
    }
}
