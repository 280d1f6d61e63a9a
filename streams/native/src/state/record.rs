//! The journey state as `schemas/avro/JourneyState.avsc` has it, and its hash (`fold.py`, `state_hash.py`).

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use crate::encoding::{put_double, put_items, put_long, put_optional, put_text};
use crate::events::event_id_of;
use crate::numbers::{round, rounded};
use crate::profile_id::push_hex;
use crate::rules::Rules;
use crate::state::expectations::{Status, MAX_EXPECTATIONS};
use crate::state::fold::Fold;
use crate::state::issues::CASE;
use crate::state::values::windows::Touch;
use crate::touchpoint::ScoreKind;

/// CRC-64-AVRO of the schema that is written here.
pub const JOURNEY_STATE: [u8; 8] = [0x1e, 0x32, 0x95, 0xf8, 0x41, 0xd1, 0x81, 0xb4];

/// An expectation as the state publishes it.
struct Expected<'a> {
    kind: &'a str,
    opened_at: i64,
    due_at: i64,
    status: Status,
    event_id: &'a str,
    issue_id: Option<&'a str>,
}

impl Expected<'_> {
    fn order(&self) -> (i64, &str, i64, &str, &str, &str) {
        let issue_id = self.issue_id.unwrap_or("");
        (self.opened_at, self.kind, self.due_at, issue_id, self.status.name(), self.event_id)
    }
}

impl Fold {
    /// The encoded journey state with its hash; at least one touchpoint must have been folded.
    ///
    /// Hashed (hex BLAKE2b-128) is the datum with version 0 and an empty hash.
    pub fn sealed(&self, tenant: &str, profile_id: &str, version: i64, late: i64, rules: &Rules) -> Vec<u8> {
        let mut bare = Vec::with_capacity(2048);
        put_text(&mut bare, tenant);
        put_text(&mut bare, profile_id);
        let whose = bare.len();
        bare.extend_from_slice(&[0, 0]);
        self.put(&mut bare, late, rules);
        let mut digest = String::with_capacity(32);
        for byte in Blake2b::<U16>::digest(&bare) {
            push_hex(&mut digest, byte);
        }
        let mut sealed = Vec::with_capacity(bare.len() + 64);
        sealed.extend_from_slice(b"\xc3\x01");
        sealed.extend_from_slice(&JOURNEY_STATE);
        sealed.extend_from_slice(&bare[..whose]);
        put_long(&mut sealed, version);
        put_text(&mut sealed, &digest);
        sealed.extend_from_slice(&bare[whose + 2..]);
        sealed
    }

    /// The fields after the hash, in the order of the schema.
    fn put(&self, out: &mut Vec<u8>, late: i64, rules: &Rules) {
        let (facts, scores, issues) = (&self.facts, &self.scores, &self.issues);
        let as_of = facts.as_of;
        put_long(out, as_of);
        put_items(out, self.owners.identifiers().into_iter(), |out, (kind, value)| {
            put_text(out, kind);
            put_text(out, value);
        });
        put_optional(out, self.account_id(), put_text);
        for number in [facts.touchpoints, late, facts.first_seen, as_of] {
            put_long(out, number);
        }
        put_text(out, self.stages.stage.map_or("", |stage| &rules.stages[stage]));
        put_long(out, self.stages.since(facts.first_seen));
        put_items(out, self.stages.records().into_iter(), |out, (stage, at)| {
            put_text(out, &rules.stages[stage]);
            put_long(out, at);
        });
        put_items(out, facts.components.iter(), |out, (component, at)| {
            put_text(out, &rules.components[*component]);
            put_long(out, *at);
        });
        put_long(out, self.sessions.count);
        put_optional(out, self.sessions.latest(), |out, session| {
            put_optional(out, session.session_id.as_deref(), put_text);
            for number in [session.started_at, session.last_at, session.touchpoints] {
                put_long(out, number);
            }
        });
        put_items(out, self.channels.records().into_iter(), |out, (name, used)| {
            put_text(out, name);
            for number in [used.touchpoints, used.inbound, used.good, used.bad, used.last_at] {
                put_long(out, number);
            }
        });
        put_text(out, self.channels.last());
        put_optional(out, self.channels.preferred(), put_text);
        put_long(out, self.channels.switches);
        put_long(out, issues.handoffs);
        put_double(out, round(self.friction.value(as_of, rules), 6));
        let (effort, answered) = self.effort.value(as_of, scores.latest(ScoreKind::Ces), rules);
        put_double(out, effort);
        out.push(u8::from(answered));
        put_long(out, facts.ouch_moments);
        put_long(out, facts.wow_moments);
        for figure in [self.sentiment.value(), self.sentiment.trend()] {
            put_optional(out, figure.map(|figure| rounded(figure, 6)), put_double);
        }
        for kind in [ScoreKind::Nps, ScoreKind::Csat, ScoreKind::Ces] {
            put_optional(out, scores.value(kind), put_double);
        }
        put_items(out, issues.open_records().into_iter(), |out, issue| {
            put_text(out, &issue.issue_id);
            for number in [issue.opened_at, issue.due_at, issue.last_contact_at, issue.contacts] {
                put_long(out, number);
            }
            put_items(out, issue.channels.iter(), |out, channel| put_text(out, channel));
        });
        put_long(out, issues.solved);
        put_long(out, issues.first_contact);
        let resolution =
            (issues.solved != 0).then(|| round(issues.first_contact as f64 / issues.solved as f64, 6));
        put_optional(out, resolution, put_double);
        let expected = self.expected(as_of, rules);
        let newest = &expected[expected.len().saturating_sub(MAX_EXPECTATIONS)..];
        put_items(out, newest.iter(), |out, item| {
            put_text(out, item.kind);
            for number in [item.opened_at, item.due_at, item.status as i64] {
                put_long(out, number);
            }
            put_text(out, item.event_id);
            put_optional(out, item.issue_id, put_text);
        });
        put_long(out, self.expectations.carts);
        put_long(out, self.expectations.carts_met(&self.sessions, rules));
        put_items(out, self.consent.records().into_iter(), |out, (purpose, decision)| {
            put_text(out, purpose);
            put_long(out, decision as i64);
        });
        for count in self.orders.counts() {
            put_long(out, count);
        }
        put_items(out, self.orders.revenue_records().into_iter(), |out, (currency, total)| {
            put_text(out, currency);
            put_long(out, total);
        });
        put_optional(out, facts.first_campaign.as_deref(), put_text);
        put_optional(out, facts.last_campaign.as_deref(), put_text);
        let (touches, first, last) = self.marketing.within(as_of, rules);
        put_long(out, touches);
        put_optional(out, first, put_touch);
        put_optional(out, last, put_touch);
        put_items(out, facts.experiments.sorted().into_iter(), |out, (experiment, variant)| {
            put_text(out, experiment);
            put_text(out, variant);
        });
        self.recent.put(out);
        out.extend_from_slice(&[0, 0, 0]); // predictions are made beside the fold
    }

    /// The expectations and the issues of the journey, in the order in which the state lists them.
    fn expected<'a>(&'a self, as_of: i64, rules: &'a Rules) -> Vec<Expected<'a>> {
        let open = self.expectations.iter().map(|item| Expected {
            kind: &item.rule(rules).name,
            opened_at: item.opened_at,
            due_at: item.due_at(&self.sessions, rules),
            status: item.status(as_of, &self.sessions, rules),
            event_id: event_id_of(&item.event),
            issue_id: None,
        });
        let cases = self.issues.iter().map(|issue| Expected {
            kind: CASE,
            opened_at: issue.opened_at,
            due_at: issue.due_at,
            status: issue.status(as_of),
            event_id: event_id_of(&issue.event),
            issue_id: Some(&issue.issue_id),
        });
        let mut found: Vec<_> = open.chain(cases).collect();
        found.sort_by(|one, other| one.order().cmp(&other.order()));
        found
    }
}

fn put_touch(out: &mut Vec<u8>, touch: &Touch) {
    put_long(out, touch.at);
    put_text(out, &touch.channel);
    put_text(out, &touch.kind);
    put_optional(out, touch.campaign.as_deref(), put_text);
}
