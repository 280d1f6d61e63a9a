//! The recent path of one journey: `recent_path.py`.

use std::collections::VecDeque;

use crate::events::Event;
use crate::prediction::names::{number_of, Name, NOTHING};
use crate::prediction::risk::{Risk, Standing, HORIZON_MS};
use crate::prediction::transitions::{Origin, Transitions};
use crate::rules::{Effect, Meaning, Rules};
use crate::state::values::bounded::Bounded;
use crate::state::values::decay::DecayedSum;
use crate::touchpoint::Touchpoint;

const MAX_WAITING: usize = 32;
const FRICTION_BUCKETS: [f64; 2] = [0.5, 3.0];
const FRICTION_HALF_LIFE_MS: i64 = 24 * 3_600_000;

/// What learns from a path, as far as it is switched on.
#[derive(Default)]
pub struct Learning<'a> {
    pub transitions: Option<&'a mut Transitions>,
    pub risk: Option<&'a mut Risk>,
}

/// What a type is to a model.
pub struct Predicted {
    /// Of the catalogue; "" when it names no such type.
    pub name: Name,
    /// "" when it enters none.
    pub stage: Name,
    pub service: bool,
}

impl Predicted {
    pub fn of(meaning: &Meaning, rules: &Rules) -> Self {
        let stage = meaning.stage.map_or(NOTHING, |stage| number_of(&rules.stages[stage]));
        let service = rules.components[meaning.component] == "service";
        Predicted { name: number_of(&meaning.name), stage, service }
    }
}

pub struct RecentPath {
    /// Time and event_key of the newest touchpoint.
    pub last: (i64, Event),
    pub stage: Name,
    /// The type; "" when the catalogue does not name it.
    pub kind: Name,
    pub friction: DecayedSum,
    pub issues: Bounded<bool>,
    pub acts: Vec<Origin>,
    pub risks: Option<VecDeque<(i64, Standing)>>,
}

impl RecentPath {
    pub fn new(with_risk: bool) -> Self {
        RecentPath {
            last: (i64::MIN, "".into()),
            stage: NOTHING,
            kind: NOTHING,
            friction: DecayedSum::default(),
            issues: Bounded::default(),
            acts: Vec::new(),
            risks: with_risk.then(VecDeque::new),
        }
    }

    /// The standing after the newest touchpoint.
    pub fn standing(&self) -> Standing {
        let friction = self.friction.value(self.last.0, FRICTION_HALF_LIFE_MS);
        let bucket = FRICTION_BUCKETS.iter().filter(|limit| friction >= **limit).count();
        let open_issue = self.issues.iter().any(|(_, open)| *open);
        Standing { stage: self.stage, kind: self.kind, friction: bucket as u8, open_issue }
    }

    /// Adds the next touchpoint.
    pub fn advance(
        &mut self,
        touchpoint: &Touchpoint,
        event: &Event,
        (meaning, predicted): (&Meaning, &Predicted),
        learning: &mut Learning,
    ) {
        let at = touchpoint.occurred_at;
        if meaning.inbound {
            if let Some(transitions) = &mut learning.transitions {
                self.acts.iter().for_each(|origin| transitions.add(*origin, predicted.name, at));
            }
            self.acts.clear();
            if predicted.service && meaning.effect != Some(Effect::Survey) {
                self.contact(at, learning);
            }
        }
        self.last = (at, event.clone());
        self.kind = predicted.name;
        if predicted.stage != NOTHING {
            self.stage = predicted.stage;
        }
        if meaning.friction != 0.0 {
            self.friction.add(meaning.friction, at, FRICTION_HALF_LIFE_MS);
        }
        if let Some(issue_id) = touchpoint.issue_id {
            let decides = matches!(meaning.effect, Some(Effect::IssueOpened | Effect::IssueSolved));
            if decides || (meaning.effect != Some(Effect::Survey) && !self.issues.contains(issue_id)) {
                self.issues.put(issue_id, meaning.effect != Some(Effect::IssueSolved));
            }
        }
        self.wait(at, learning);
    }

    fn contact(&mut self, at: i64, learning: &mut Learning) {
        let Some(risks) = &mut self.risks else { return };
        if let Some(risk) = &mut learning.risk {
            for (before, standing) in risks.iter().filter(|(before, _)| at - before <= HORIZON_MS) {
                risk.hit(*standing, *before);
            }
        }
        risks.clear();
    }

    fn wait(&mut self, at: i64, learning: &mut Learning) {
        if self.acts.len() < MAX_WAITING {
            self.acts.push((self.stage, self.kind));
        }
        let standing = self.standing();
        let Some(risks) = &mut self.risks else { return };
        while risks.front().is_some_and(|(before, _)| at - before > HORIZON_MS) {
            risks.pop_front();
        }
        if risks.len() < MAX_WAITING {
            risks.push_back((at, standing));
            if let Some(risk) = &mut learning.risk {
                risk.observe(standing, at);
            }
        }
    }
}
