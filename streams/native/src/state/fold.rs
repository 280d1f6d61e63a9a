//! The journey fold: `fold.py`. It runs for every event.

use std::sync::Arc;

use crate::events::{event_key, Event};
use crate::rules::{Effect, Meaning, Rules};
use crate::state::channels::Channels;
use crate::state::consent::Consent;
use crate::state::counting::Counts;
use crate::state::expectations::Expectations;
use crate::state::facts::Facts;
use crate::state::feedback::{verdict, Scores, Sentiment};
use crate::state::friction::Friction;
use crate::state::instants::{by_content, issue_rank};
use crate::state::issues::{Around, Contact, Issues};
use crate::state::orders::Orders;
use crate::state::owners::Owners;
use crate::state::recent::Recent;
use crate::state::sessions::{SessionId, Sessions};
use crate::state::signals::{Signal, SignalBook};
use crate::state::stages::Stages;
use crate::state::values::windows::{Effort, Marketing, Touch};
use crate::touchpoint::{Decision, Owned, Touchpoint};

/// Accumulates one profile's touchpoints: in time order, each event once, touchpoints of one time together.
#[derive(Default)]
pub struct Fold {
    pub book: SignalBook,
    pub facts: Facts,
    pub owners: Owners,
    pub stages: Stages,
    pub channels: Channels,
    pub sessions: Sessions,
    pub orders: Orders,
    pub expectations: Expectations,
    pub issues: Issues,
    pub friction: Friction,
    pub effort: Effort,
    pub scores: Scores,
    pub sentiment: Sentiment,
    pub consent: Consent,
    pub marketing: Marketing,
    counts: Counts,
    pub recent: Recent,
}

/// A touchpoint of an instant, and what is known of it.
struct Noted<'a, 'b> {
    touchpoint: &'b Touchpoint<'a>,
    event: Event,
    meaning: &'b Meaning,
    session: Option<SessionId>,
}

impl Fold {
    /// Folds touchpoints that come in time order; touchpoints of one time may come in any order.
    pub fn advance_all(&mut self, touchpoints: &[Owned], rules: &Rules) {
        for instant in
            touchpoints.chunk_by(|one, other| one.touchpoint.occurred_at == other.touchpoint.occurred_at)
        {
            let held = self.expectations.iter().filter_map(|item| item.session).chain(self.issues.sessions());
            self.sessions.collect(held);
            match instant {
                [alone] => self.advance(alone, rules),
                _ => self.advance_together(instant, rules),
            }
        }
    }

    /// Folds the only touchpoint of its time.
    fn advance(&mut self, owned: &Owned, rules: &Rules) {
        let touchpoint = &owned.touchpoint;
        let (at, event) = (touchpoint.occurred_at, event_key(touchpoint));
        let meaning = self.meaning_of(touchpoint, rules);
        let session = self.note(owned, meaning, &event, rules);
        let one = Noted { touchpoint, event, meaning, session };
        self.enter_stage(&one, rules);
        self.open_expectations(&one, rules);
        self.meet_expectations(&one, rules);
        if let Some(issue_id) = touchpoint.issue_id {
            self.touch_issue(issue_id, &one, false, rules);
        }
        if let Some(score) = touchpoint.score {
            self.scores.add(score, at, &one.event, rules, &self.book);
        }
        if let Some(sentiment) = touchpoint.sentiment {
            let moods = vec![(sentiment, one.event.clone())];
            self.sentiment.add(moods, at, rules, &mut self.book);
        }
        for (purpose, decision) in &touchpoint.consent {
            self.consent.decide(purpose, *decision, at, &one.event, &self.book);
        }
    }

    /// Folds all touchpoints of one time, given in any order.
    fn advance_together(&mut self, instant: &[Owned], rules: &Rules) {
        let at = instant[0].touchpoint.occurred_at;
        let ordered = by_content(instant, self.channels.last());
        let meanings: Vec<&Meaning> =
            ordered.iter().map(|owned| self.meaning_of(&owned.touchpoint, rules)).collect();
        let mut noted = Vec::with_capacity(ordered.len());
        for (owned, meaning) in ordered.iter().zip(meanings) {
            let event = event_key(&owned.touchpoint);
            let session = self.note(owned, meaning, &event, rules);
            noted.push(Noted { touchpoint: &owned.touchpoint, event, meaning, session });
        }
        let mut staged: Vec<_> = noted.iter().collect();
        staged.sort_by_key(|one| one.meaning.stage_rank);
        staged.into_iter().for_each(|one| self.enter_stage(one, rules));
        noted.iter().for_each(|one| self.open_expectations(one, rules));
        noted.iter().for_each(|one| self.meet_expectations(one, rules));
        self.touch_issues(&noted, rules);
        let mut answers: Vec<_> =
            noted.iter().filter_map(|one| Some((one.touchpoint.score?, &one.event))).collect();
        answers.sort_by(|one, other| {
            one.0.value.partial_cmp(&other.0.value).unwrap_or(std::cmp::Ordering::Equal)
        });
        for (score, event) in answers {
            self.scores.add(score, at, event, rules, &self.book);
        }
        let moods =
            noted.iter().filter_map(|one| Some((one.touchpoint.sentiment?, one.event.clone()))).collect();
        self.sentiment.add(moods, at, rules, &mut self.book);
        for (purpose, decision, event) in strictest(&noted) {
            self.consent.decide(purpose, decision, at, event, &self.book);
        }
    }

    /// The meaning of a touchpoint, without its effect if its order is counted already. Counts revenue.
    fn meaning_of<'r>(&mut self, touchpoint: &Touchpoint, rules: &'r Rules) -> &'r Meaning {
        let meaning = rules.meaning(touchpoint.kind);
        if meaning.money && !self.orders.note(touchpoint, meaning) {
            return meaning.repeated.map_or(meaning, |index| &rules.meanings[index]);
        }
        meaning
    }

    /// Folds the parts of a touchpoint that do not depend on others of its time. Returns its session.
    fn note(&mut self, owned: &Owned, meaning: &Meaning, event: &Event, rules: &Rules) -> Option<SessionId> {
        let touchpoint = &owned.touchpoint;
        let at = touchpoint.occurred_at;
        let channel = rules.channel(touchpoint.channel);
        let name = if meaning.name.is_empty() { touchpoint.kind } else { &meaning.name };
        self.owners.note(owned.owner, at, event, touchpoint.tenant, &mut self.book);
        self.facts.note(touchpoint, meaning);
        self.recent.add(at, touchpoint.event_id, channel, name);
        let mut session = None;
        if !meaning.internal {
            self.channels.touch(channel, at, event, meaning.inbound, rules, &mut self.book);
            if meaning.inbound {
                session = Some(self.sessions.touch(at, touchpoint.source, touchpoint.session_id, rules));
            }
        }
        if meaning.friction != 0.0 {
            self.effort.add(meaning.points, at, rules);
            self.friction.add(meaning.friction, at, event, rules, &mut self.book);
        }
        if meaning.bad || meaning.good {
            self.channels.outcome(channel, meaning.good);
        }
        if meaning.marketing {
            let (kind, campaign) = (name.into(), touchpoint.campaign.map(Into::into));
            self.marketing.add(Touch { at, channel: channel.into(), kind, campaign }, rules);
        }
        for index in &meaning.counts {
            self.counts.note(*index, at, event, rules, &mut self.book);
        }
        session
    }

    fn enter_stage(&mut self, one: &Noted, rules: &Rules) {
        if let Some(stage) = one.meaning.stage {
            self.stages.touch(stage, one.touchpoint.occurred_at, &one.event, rules, &self.book);
        }
    }

    fn open_expectations(&mut self, one: &Noted, rules: &Rules) {
        for index in &one.meaning.opens {
            let (at, sessions) = (one.touchpoint.occurred_at, &mut self.sessions);
            self.expectations.open(*index, one.session, at, &one.event, sessions, rules);
        }
    }

    fn meet_expectations(&mut self, one: &Noted, rules: &Rules) {
        if one.meaning.meets != 0 {
            let (at, sessions) = (one.touchpoint.occurred_at, &mut self.sessions);
            self.expectations.meet(one.meaning.meets, one.session, at, sessions, rules);
        }
    }

    /// Folds the issues of the touchpoints of one time: contacts, openings, solutions, then answers.
    fn touch_issues(&mut self, noted: &[Noted], rules: &Rules) {
        let mut about: Vec<_> =
            noted.iter().filter_map(|one| Some((one, one.touchpoint.issue_id?))).collect();
        let solves = |one: &Noted| one.meaning.effect == Some(Effect::IssueSolved);
        let solved: Vec<&str> =
            about.iter().filter(|(one, _)| solves(one)).map(|(_, issue_id)| *issue_id).collect();
        about.sort_by_cached_key(|(one, issue_id)| {
            let channel = rules.channel(one.touchpoint.channel);
            let elsewhere = !self.issues.continues(issue_id, one.session, channel);
            (issue_rank(one.meaning.effect), elsewhere)
        });
        for (one, issue_id) in about {
            self.touch_issue(issue_id, one, solved.contains(&issue_id), rules);
        }
    }

    fn touch_issue(&mut self, issue_id: &str, one: &Noted, solved_now: bool, rules: &Rules) {
        let (at, event) = (one.touchpoint.occurred_at, &one.event);
        let channel = rules.channel(one.touchpoint.channel);
        let Fold { book, effort, channels, issues, .. } = self;
        let mut around = Around { rules, book, effort, channels };
        let Some(place) = issues.touch(issue_id, at, event, one.meaning.effect, &mut around) else {
            return;
        };
        if let (Some(session), false) = (one.session, one.meaning.survey) {
            let human = rules.human_channels.contains(channel);
            issues.contact(place, &Contact { at, event, channel, human, session, solved_now }, &mut around);
        }
        let last_channel = &issues.at(place).last_channel;
        if let (Some(score), false) = (one.touchpoint.score, last_channel.is_empty()) {
            if let Some(good) = verdict(score) {
                self.channels.outcome(last_channel, good);
            }
        }
    }

    pub fn account_id(&self) -> Option<&str> {
        self.facts.account_id.as_deref()
    }

    /// Every signal that holds at `now`, sorted by time, kind and id.
    pub fn signals(&mut self, now: i64, rules: &Rules) -> Vec<Arc<Signal>> {
        let now = now.max(self.facts.as_of);
        let mut found: Vec<Arc<Signal>> = self.book.moments().to_vec();
        found.extend(self.stages.signals().cloned());
        found.extend(self.owners.merged.iter().cloned());
        found.extend(self.consent.withdrawals().cloned());
        found.extend(self.scores.detractor.clone());
        found.extend(self.expectations.missed(now, &self.book, &self.sessions, rules));
        found.extend(self.issues.overdue(now, &self.book));
        found.retain(|signal| rules.enabled.contains(&*signal.kind));
        found.sort_by(|one, other| one.order().cmp(&other.order()));
        found
    }

    /// Whether a signal no longer holds only because the journey has evicted its subject as too old.
    pub fn lets_go(&self, order: (i64, &str, &str), event: &str, rules: &Rules) -> bool {
        let (occurred_at, kind, _) = order;
        if rules.moments.contains(kind) {
            return self.book.lets_go(order);
        }
        if kind == "issue_overdue" {
            return self.issues.lets_go(event) || self.book.lets_go(order);
        }
        rules.missed.contains(kind)
            && self.expectations.lets_go(kind, occurred_at, event, &self.sessions, rules)
    }

    /// The earliest deadline of an expectation or an issue that has not passed at `now`.
    pub fn next_deadline(&self, now: Option<i64>, rules: &Rules) -> Option<i64> {
        let now = now.map_or(self.facts.as_of, |now| now.max(self.facts.as_of));
        self.expectations.deadlines(now, &self.sessions, rules).chain(self.issues.deadlines(now)).min()
    }
}

/// The strictest decision on each purpose among touchpoints of one time, and the first event with it.
fn strictest<'a, 'b>(noted: &'b [Noted<'a, '_>]) -> Vec<(&'a str, Decision, &'b Event)> {
    let mut found: Vec<(&str, Decision, &Event)> = Vec::new();
    for one in noted {
        for (purpose, decision) in &one.touchpoint.consent {
            match found.iter_mut().find(|known| known.0 == *purpose) {
                Some(known) if *decision > known.1 => (known.1, known.2) = (*decision, &one.event),
                Some(_) => {}
                None => found.push((purpose, *decision, &one.event)),
            }
        }
    }
    found
}
