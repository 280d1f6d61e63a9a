//! Issues: service cases, what they cost the customer, and when they are overdue (`issues.py`).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::events::{event_id_of, Event};
use crate::rules::{Effect, Kind, Rules};
use crate::state::channels::Channels;
use crate::state::expectations::Status;
use crate::state::sessions::SessionId;
use crate::state::signals::{kinds, Signal, SignalBook, MAX_CAUSES};
use crate::state::values::windows::Effort;

/// Issues that one journey remembers, open and solved each.
const MAX_ISSUES: usize = 100;
/// Channels of one issue that are remembered.
const MAX_CHANNELS: usize = 12;
pub const CASE: &str = "case";

pub struct Issue {
    pub issue_id: Box<str>,
    pub opened_at: i64,
    pub due_at: i64,
    pub event: Event,
    pub last_contact_at: i64,
    pub contacts: i64,
    separate_contacts: i64,
    /// Sorted.
    pub channels: Vec<Box<str>>,
    session: Option<SessionId>,
    pub last_channel: Box<str>,
    human: bool,
    /// Event ids, and the event_key of the last.
    causes: VecDeque<Event>,
    pub solved_at: Option<i64>,
    first_contact: bool,
    /// Signals that were held back, because the issue was solved at the same time: repeat_contact, channel_hopping.
    untold: [bool; 2],
    signal: Option<Arc<Signal>>,
}

/// A signal of a contact that may be held back.
#[derive(Clone, Copy)]
enum Held {
    RepeatContact = 0,
    ChannelHopping = 1,
}

impl Issue {
    fn new(issue_id: &str, at: i64, event: &Event, rules: &Rules) -> Self {
        Issue {
            issue_id: issue_id.into(),
            opened_at: at,
            due_at: at + rules.issue_overdue_ms,
            event: event.clone(),
            last_contact_at: at,
            contacts: 0,
            separate_contacts: 0,
            channels: Vec::new(),
            session: None,
            last_channel: "".into(),
            human: true,
            causes: VecDeque::new(),
            solved_at: None,
            first_contact: false,
            untold: [false; 2],
            signal: None,
        }
    }

    pub fn status(&self, now: i64) -> Status {
        if self.solved_at.unwrap_or(now) > self.due_at {
            Status::Missed
        } else if self.solved_at.is_none() {
            Status::Open
        } else {
            Status::Met
        }
    }

    fn overdue(&mut self, book: &SignalBook) -> Arc<Signal> {
        match &self.signal {
            Some(known) if known.occurred_at == self.due_at => known.clone(),
            _ => {
                let details = vec![("issue_id", self.issue_id.to_string())];
                let event = std::slice::from_ref(&self.event);
                let signal = book.make(&kinds::ISSUE_OVERDUE, self.due_at, event, details);
                self.signal = Some(signal.clone());
                signal
            }
        }
    }

    /// Records the session and channel of a contact. Returns whether they differ from those of the contact before.
    fn separate(&mut self, session: SessionId, channel: &str) -> bool {
        if self.session == Some(session) && &*self.last_channel == channel {
            return false;
        }
        self.session = Some(session);
        if &*self.last_channel != channel {
            self.last_channel = channel.into();
        }
        self.separate_contacts += 1;
        true
    }
}

/// Which issue: the open or the solved one at an index.
#[derive(Clone, Copy)]
pub enum Place {
    Open(usize),
    Solved(usize),
}

/// An inbound contact about an issue.
pub struct Contact<'a> {
    pub at: i64,
    pub event: &'a Event,
    pub channel: &'a str,
    pub human: bool,
    pub session: SessionId,
    /// Holds its signals back.
    pub solved_now: bool,
}

/// What the issues of a journey change beside themselves.
pub struct Around<'a> {
    pub rules: &'a Rules,
    pub book: &'a mut SignalBook,
    pub effort: &'a mut Effort,
    pub channels: &'a mut Channels,
}

#[derive(Default)]
pub struct Issues {
    open: VecDeque<Issue>,
    solved_issues: VecDeque<Issue>,
    pub solved: i64,
    pub first_contact: i64,
    pub handoffs: i64,
}

impl Issues {
    /// The open ones, then the solved ones.
    pub fn iter(&self) -> impl Iterator<Item = &Issue> {
        self.open.iter().chain(&self.solved_issues)
    }

    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.iter().filter_map(|issue| issue.session)
    }

    pub fn at(&self, place: Place) -> &Issue {
        match place {
            Place::Open(index) => &self.open[index],
            Place::Solved(index) => &self.solved_issues[index],
        }
    }

    /// Opens, solves or reopens the issue of a touchpoint. Returns it; None for a solution, and for an answer about
    /// an unknown issue.
    pub fn touch(
        &mut self,
        issue_id: &str,
        at: i64,
        event: &Event,
        effect: Option<Effect>,
        around: &mut Around,
    ) -> Option<Place> {
        let open = self.open.iter().position(|issue| &*issue.issue_id == issue_id);
        let solved = self.solved_issues.iter().position(|issue| &*issue.issue_id == issue_id);
        if effect == Some(Effect::IssueSolved) {
            let issue = match (open, solved) {
                (Some(index), _) => self.open.remove(index),
                (None, Some(_)) => return None, // solved already
                (None, None) => None,
            };
            self.solve(issue.unwrap_or_else(|| Issue::new(issue_id, at, event, around.rules)), at, around);
            return None;
        }
        if let Some(index) = open {
            return Some(Place::Open(index));
        }
        let issue = match solved {
            found if effect == Some(Effect::Survey) => return found.map(Place::Solved),
            None => Issue::new(issue_id, at, event, around.rules),
            Some(index) if effect == Some(Effect::IssueOpened) => {
                self.reopen(index, at, event, around.rules)?
            }
            Some(index) => return Some(Place::Solved(index)),
        };
        put(&mut self.open, issue);
        Some(Place::Open(self.open.len() - 1))
    }

    /// Whether the last contact about an open issue took place in this session, on this channel.
    pub fn continues(&self, issue_id: &str, session: Option<SessionId>, channel: &str) -> bool {
        let issue = self.open.iter().find(|issue| &*issue.issue_id == issue_id);
        issue.is_some_and(|issue| issue.session == session && &*issue.last_channel == channel)
    }

    pub fn contact(&mut self, place: Place, contact: &Contact, around: &mut Around) {
        let issue = match place {
            Place::Open(index) => &mut self.open[index],
            Place::Solved(index) => &mut self.solved_issues[index],
        };
        if issue.solved_at.is_some() {
            if issue.separate(contact.session, contact.channel) && issue.first_contact {
                issue.first_contact = false;
                self.first_contact -= 1;
            }
            return;
        }
        let (rules, at) = (around.rules, contact.at);
        issue.contacts += 1;
        issue.last_contact_at = at;
        let mut effort = 0;
        if contact.human && !issue.human {
            self.handoffs += 1;
            effort += rules.effort_handoff;
        }
        issue.human = contact.human;
        if issue.causes.len() == MAX_CAUSES {
            issue.causes.pop_front();
        }
        if let Some(last) = issue.causes.back_mut() {
            if event_id_of(last).len() < last.len() {
                *last = event_id_of(last).into();
            }
        }
        issue.causes.push_back(contact.event.clone());
        if issue.separate(contact.session, contact.channel) {
            if issue.separate_contacts > 1 {
                effort += rules.effort_repeat_contact;
            }
            let repeated = issue.separate_contacts == rules.repeat_contacts;
            if repeated || issue.untold[Held::RepeatContact as usize] {
                let kind = &kinds::REPEAT_CONTACT;
                tell(issue, Held::RepeatContact, kind, None, contact, around.book);
            }
        }
        let place = issue.channels.binary_search_by(|known| (**known).cmp(contact.channel));
        if let (Err(index), true) = (place, issue.channels.len() < MAX_CHANNELS) {
            if !issue.channels.is_empty() {
                effort += rules.effort_channel_switch;
            }
            issue.channels.insert(index, contact.channel.into());
            let hopping = issue.channels.len() == rules.hopping_channels;
            if hopping || issue.untold[Held::ChannelHopping as usize] {
                let (kind, names) = (&kinds::CHANNEL_HOPPING, issue.channels.join(", "));
                tell(issue, Held::ChannelHopping, kind, Some(("channels", names)), contact, around.book);
            }
        }
        if effort != 0 {
            around.effort.add(effort, at, rules);
        }
    }

    /// The open ones by (opened_at, issue_id).
    pub fn open_records(&self) -> Vec<&Issue> {
        let mut found: Vec<_> = self.open.iter().collect();
        found.sort_by(|one, other| (one.opened_at, &one.issue_id).cmp(&(other.opened_at, &other.issue_id)));
        found
    }

    pub fn overdue<'a>(
        &'a mut self,
        now: i64,
        book: &'a SignalBook,
    ) -> impl Iterator<Item = Arc<Signal>> + 'a {
        self.open.iter_mut().filter(move |issue| now > issue.due_at).map(|issue| issue.overdue(book))
    }

    /// Whether the subject of a signal is an open issue that newer ones evicted.
    pub fn lets_go(&self, about: &str) -> bool {
        self.open.len() == MAX_ISSUES && !self.iter().any(|issue| &*issue.event == about)
    }

    /// The deadlines of the open issues that are not overdue at `now`.
    pub fn deadlines(&self, now: i64) -> impl Iterator<Item = i64> + '_ {
        self.open.iter().filter(move |issue| now <= issue.due_at).map(|issue| issue.due_at)
    }

    fn reopen(&mut self, index: usize, at: i64, event: &Event, rules: &Rules) -> Option<Issue> {
        let mut issue = self.solved_issues.remove(index)?;
        self.solved -= 1;
        self.first_contact -= i64::from(issue.first_contact);
        issue.first_contact = false;
        issue.solved_at = None;
        issue.opened_at = at;
        issue.event = event.clone();
        issue.due_at = at + rules.issue_overdue_ms;
        Some(issue)
    }

    fn solve(&mut self, mut issue: Issue, at: i64, around: &mut Around) {
        if at > issue.due_at {
            let overdue = issue.overdue(around.book);
            around.book.keep(overdue);
        }
        issue.solved_at = Some(at);
        issue.first_contact = issue.separate_contacts <= 1;
        self.first_contact += i64::from(issue.first_contact);
        self.solved += 1;
        let last_channel = issue.last_channel.clone();
        put(&mut self.solved_issues, issue);
        if !last_channel.is_empty() {
            around.channels.outcome(&last_channel, true);
        }
    }
}

fn put(issues: &mut VecDeque<Issue>, issue: Issue) {
    if issues.len() >= MAX_ISSUES {
        issues.pop_front();
    }
    issues.push_back(issue);
}

/// Raises a moment of an issue, or holds it back until a contact after a reopening.
fn tell(
    issue: &mut Issue,
    held: Held,
    kind: &Kind,
    detail: Option<(&'static str, String)>,
    contact: &Contact,
    book: &mut SignalBook,
) {
    issue.untold[held as usize] = contact.solved_now;
    if !contact.solved_now {
        let mut details = vec![("issue_id", issue.issue_id.to_string())];
        details.extend(detail);
        book.remember(kind, contact.at, issue.causes.make_contiguous(), details);
    }
}
