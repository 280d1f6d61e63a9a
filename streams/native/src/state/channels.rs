//! Channels: their use, the outcomes on them, and the switches between them (`channels.py`).

use std::collections::VecDeque;

use crate::events::Event;
use crate::rules::Rules;
use crate::state::signals::{kinds, SignalBook, MAX_CAUSES};
use crate::state::values::bounded::Bounded;

#[derive(Clone)]
pub struct ChannelUse {
    pub touchpoints: i64,
    pub inbound: i64,
    pub good: i64,
    pub bad: i64,
    pub last_at: i64,
}

const UNUSED: ChannelUse = ChannelUse { touchpoints: 0, inbound: 0, good: 0, bad: 0, last_at: i64::MIN };

#[derive(Default)]
pub struct Channels {
    uses: Bounded<ChannelUse>,
    /// Of the newest inbound touchpoint.
    last: Option<Box<str>>,
    pub switches: i64,
    /// The newest switches, at most as many as the rule counts.
    switched: VecDeque<(i64, Event)>,
    hopped_at: Option<i64>,
}

impl Channels {
    /// The channel of the newest inbound touchpoint; empty if none.
    pub fn last(&self) -> &str {
        self.last.as_deref().unwrap_or("")
    }

    pub fn touch(
        &mut self,
        channel: &str,
        at: i64,
        event: &Event,
        inbound: bool,
        rules: &Rules,
        book: &mut SignalBook,
    ) {
        let used = self.uses.entry(channel, || UNUSED);
        used.touchpoints += 1;
        used.last_at = at;
        if !inbound {
            return;
        }
        used.inbound += 1;
        if self.last.as_deref() == Some(channel) {
            return;
        }
        let switched = self.last.is_some();
        self.last = Some(channel.into());
        if switched {
            self.switches += 1;
            self.switched.push_back((at, event.clone()));
            if self.switched.len() > rules.hopping_switches {
                self.switched.pop_front();
            }
            self.notice_hopping(channel, at, rules, book);
        }
    }

    pub fn outcome(&mut self, channel: &str, good: bool) {
        let used = self.uses.entry(channel, || UNUSED);
        if good {
            used.good += 1;
        } else {
            used.bad += 1;
        }
    }

    /// Those with a contact, sorted by name.
    pub fn records(&self) -> Vec<(&str, &ChannelUse)> {
        let mut used = self.uses.sorted();
        used.retain(|(_, used)| used.touchpoints > 0);
        used
    }

    pub fn preferred(&self) -> Option<&str> {
        self.uses
            .iter()
            .filter(|(_, used)| used.inbound > 0)
            .map(|(name, used)| {
                let share = (used.good + 1) as f64 / (used.good + used.bad + 2) as f64;
                (share, used.inbound, used.last_at, name)
            })
            .max_by(|one, other| {
                one.0
                    .total_cmp(&other.0)
                    .then_with(|| (one.1, one.2, one.3).cmp(&(other.1, other.2, other.3)))
            })
            .map(|best| best.3)
    }

    fn notice_hopping(&mut self, channel: &str, at: i64, rules: &Rules, book: &mut SignalBook) {
        let window = rules.hopping_window_ms;
        let full = self.switched.len() >= rules.hopping_switches;
        if !full || self.switched.front().is_some_and(|first| at - first.0 > window) {
            return;
        }
        if self.hopped_at.is_some_and(|hopped_at| at - hopped_at <= window) {
            return;
        }
        self.hopped_at = Some(at);
        let start = self.switched.len().saturating_sub(MAX_CAUSES);
        let causes: Vec<Event> = self.switched.range(start..).map(|(_, event)| event.clone()).collect();
        let details = vec![("channel", channel.to_owned())];
        book.keep(book.make_about(&kinds::CHANNEL_HOPPING, at, &causes, details, "/switches"));
    }
}
