//! Expectations: which touchpoint should follow another, and until when (`expectations.py`).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::events::Event;
use crate::rules::{ExpectationRule, Names, Rules};
use crate::state::sessions::{SessionId, Sessions};
use crate::state::signals::{Signal, SignalBook};

/// Expectations that one journey remembers, including met ones.
pub const MAX_EXPECTATIONS: usize = 20;
const CART: &str = "cart";
const CHECKOUT: &str = "checkout";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open = 0,
    Missed = 1,
    Met = 2,
}

impl Status {
    /// As the schema names it, for sorting.
    pub fn name(self) -> &'static str {
        match self {
            Status::Open => "OPEN",
            Status::Missed => "MISSED",
            Status::Met => "MET",
        }
    }
}

pub struct Expectation {
    /// Index of its rule.
    rule: usize,
    pub opened_at: i64,
    pub event: Event,
    /// Its end is the deadline; None: the deadline is `due_at`.
    pub session: Option<SessionId>,
    met_at: Option<i64>,
    due_at: i64,
    signal: Option<(Arc<Signal>, &'static str)>,
}

impl Expectation {
    pub fn rule<'a>(&self, rules: &'a Rules) -> &'a ExpectationRule {
        &rules.expectations[self.rule]
    }

    pub fn due_at(&self, sessions: &Sessions, rules: &Rules) -> i64 {
        self.session.map_or(self.due_at, |id| sessions.get(id).last_at + rules.session_gap_ms)
    }

    pub fn status(&self, now: i64, sessions: &Sessions, rules: &Rules) -> Status {
        let due_at = self.due_at(sessions, rules);
        if self.met_at.is_some_and(|met_at| met_at <= due_at) {
            Status::Met
        } else if now > due_at {
            Status::Missed
        } else {
            Status::Open
        }
    }

    fn is_met_cart(&self, sessions: &Sessions, rules: &Rules) -> bool {
        &*self.rule(rules).name == CART && self.status(0, sessions, rules) == Status::Met
    }

    fn missed_signal(&mut self, book: &SignalBook, sessions: &Sessions, rules: &Rules) -> Arc<Signal> {
        let due_at = self.due_at(sessions, rules);
        let checkout = match self.session {
            None => "",
            Some(id) if sessions.get(id).opened & rules.bit(CHECKOUT) != 0 => "started",
            Some(_) => "not started",
        };
        match &self.signal {
            Some((known, said)) if known.occurred_at == due_at && *said == checkout => known.clone(),
            _ => {
                let mut details = Vec::new();
                if self.session.is_some() {
                    details.push(("checkout", checkout.to_owned()));
                }
                let event = std::slice::from_ref(&self.event);
                let signal = book.make(&self.rule(rules).signal, due_at, event, details);
                self.signal = Some((signal.clone(), checkout));
                signal
            }
        }
    }
}

#[derive(Default)]
pub struct Expectations {
    newest: VecDeque<Expectation>,
    met_before: i64,
    pub carts: i64,
}

impl Expectations {
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Expectation> {
        self.newest.iter()
    }

    /// Opens an expectation. One whose deadline is its session's end opens once in that session.
    pub fn open(
        &mut self,
        index: usize,
        session: Option<SessionId>,
        at: i64,
        event: &Event,
        sessions: &mut Sessions,
        rules: &Rules,
    ) {
        let (rule, bit) = (&rules.expectations[index], 1 << index);
        let mut opened = Expectation {
            rule: index,
            opened_at: at,
            event: event.clone(),
            session: None,
            met_at: None,
            due_at: 0,
            signal: None,
        };
        match (rule.within_ms, session) {
            (Some(within), _) => opened.due_at = at + within,
            (None, None) => return,
            (None, Some(id)) => {
                let session = sessions.get_mut(id);
                if session.opened & bit != 0 {
                    return;
                }
                session.opened |= bit;
                opened.met_at = (session.met & bit != 0).then_some(at);
                opened.session = Some(id);
            }
        }
        self.carts += i64::from(&*rule.name == CART);
        self.newest.push_back(opened);
        if self.newest.len() > MAX_EXPECTATIONS {
            if let Some(oldest) = self.newest.pop_front() {
                self.met_before += i64::from(oldest.is_met_cart(sessions, rules));
            }
        }
    }

    /// Meets the open expectations of these kinds.
    pub fn meet(
        &mut self,
        names: Names,
        session: Option<SessionId>,
        at: i64,
        sessions: &mut Sessions,
        rules: &Rules,
    ) {
        for expectation in &mut self.newest {
            let named = names & 1 << expectation.rule != 0;
            let here = session.is_some() && expectation.session == session;
            if expectation.met_at.is_none() && named && (expectation.rule(rules).any_session || here) {
                expectation.met_at = Some(at);
            }
        }
        if let Some(id) = session {
            sessions.get_mut(id).met |= names;
        }
    }

    pub fn carts_met(&self, sessions: &Sessions, rules: &Rules) -> i64 {
        let met = self.newest.iter().filter(|item| item.is_met_cart(sessions, rules)).count();
        self.met_before + met as i64
    }

    pub fn missed<'a>(
        &'a mut self,
        now: i64,
        book: &'a SignalBook,
        sessions: &'a Sessions,
        rules: &'a Rules,
    ) -> impl Iterator<Item = Arc<Signal>> + 'a {
        self.newest
            .iter_mut()
            .filter(move |item| item.status(now, sessions, rules) == Status::Missed)
            .map(|item| item.missed_signal(book, sessions, rules))
    }

    /// Whether the subject of a signal is an expectation that newer ones evicted.
    pub fn lets_go(
        &self,
        kind: &str,
        occurred_at: i64,
        about: &str,
        sessions: &Sessions,
        rules: &Rules,
    ) -> bool {
        self.newest.len() == MAX_EXPECTATIONS
            && self.newest.back().is_some_and(|last| occurred_at <= last.due_at(sessions, rules))
            && !self.newest.iter().any(|item| &*item.rule(rules).signal == kind && &*item.event == about)
    }

    /// The deadlines of the expectations that are open at `now`.
    pub fn deadlines<'a>(
        &'a self,
        now: i64,
        sessions: &'a Sessions,
        rules: &'a Rules,
    ) -> impl Iterator<Item = i64> + 'a {
        self.newest
            .iter()
            .filter(move |item| item.status(now, sessions, rules) == Status::Open)
            .map(|item| item.due_at(sessions, rules))
    }
}
