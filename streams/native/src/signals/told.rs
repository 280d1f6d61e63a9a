//! What the subscribers of one profile know, and what they must hear: `told.py` and `published.py`.

use std::sync::Arc;

use crate::encoding::{put_items, put_long, put_optional, put_text, Reader};
use crate::events::Event;
use crate::profile_id::uuid5_text;
use crate::rules::Rules;
use crate::state::fold::Fold;
use crate::state::signals::{words, Signal, NAMESPACE};
use crate::touchpoint::after_header;

/// CRC-64-AVRO of the schemas that are written here.
pub const JOURNEY_SIGNAL: [u8; 8] = [0xe1, 0x07, 0x0f, 0x17, 0xc2, 0xb7, 0x4e, 0x39];
pub const SIGNALS_WRITTEN_AHEAD: [u8; 8] = [0xf3, 0x52, 0x22, 0x37, 0xb1, 0xf8, 0xd2, 0x43];
pub const SIGNALS_PUBLISHED: [u8; 8] = [0x13, 0x3e, 0xe7, 0xdc, 0x5f, 0xb6, 0xf4, 0x2e];

/// Why a signal is retracted.
#[derive(Clone, Copy)]
enum Reason<'a> {
    Contradicted,
    /// To whom.
    Moved(&'a str),
    LetGo,
}

impl Reason<'_> {
    /// The index of the schema's symbol.
    fn symbol(self) -> i64 {
        match self {
            Reason::Contradicted => 0,
            Reason::Moved(_) => 1,
            Reason::LetGo => 3,
        }
    }
}

/// When the signals of a profile were published last.
#[derive(Clone)]
pub struct Publication {
    pub version: i64,
    pub now: i64,
    /// The next deadline, if there is one.
    pub due: Option<i64>,
    pub meanings: i64,
}

impl Publication {
    /// Back from `encode`; None if Python must read it.
    pub fn read(value: &[u8]) -> Option<Self> {
        let mut reader = after_header(value, SIGNALS_PUBLISHED).ok()?;
        let (version, now) = (reader.long().ok()?, reader.long().ok()?);
        let (due, meanings) = (reader.optional(Reader::long).ok()?, reader.long().ok()?);
        reader.is_at_end().then_some(Publication { version, now, due, meanings })
    }

    /// Of two publications of a profile, the later one has the later place.
    pub fn place(&self) -> (i64, i64, i64, i64) {
        (self.version, self.now, self.due.unwrap_or(i64::MAX), self.meanings)
    }

    /// A SignalsPublished.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = header(SIGNALS_PUBLISHED, 48);
        put_long(&mut out, self.version);
        put_long(&mut out, self.now);
        put_optional(&mut out, self.due, put_long);
        put_long(&mut out, self.meanings);
        out
    }
}

#[derive(Default)]
pub struct Told {
    /// The signals that hold as far as subscribers know, each subject once; None: `recall` works them out.
    pub signals: Option<Vec<Arc<Signal>>>,
    pub unconfirmed: bool,
    pub last: Option<Publication>,
}

/// A profile, and the input that it is published with.
pub struct Publishing<'a> {
    pub tenant: &'a str,
    pub profile_id: &'a str,
    pub version: i64,
    pub meanings: i64,
    pub by_deadline: bool,
    /// The touchpoints that left in this fetch, and to whom.
    pub gone: &'a [(Event, String)],
    /// Whether no touchpoint is left: no signal holds then.
    pub empty: bool,
}

/// What a publication makes: encoded JourneySignals, those that it raises with their events.
pub struct News {
    pub now: i64,
    pub version: i64,
    pub signals: Vec<(Option<Event>, Vec<u8>)>,
}

impl Told {
    /// Works out which signals subscribers know of.
    pub fn recall(&mut self, fold: &mut Fold, now: i64, meanings: i64, rules: &Rules) {
        let confirmed = self.last.as_ref().filter(|last| last.meanings == meanings);
        let held = fold.signals(confirmed.map_or(now, |last| last.now), rules);
        self.unconfirmed = confirmed.is_none();
        self.signals = Some(each_once(held));
    }

    /// The signals to publish at `now`, noted here. No signal may be perhaps raised.
    pub fn publish(&mut self, about: &Publishing, fold: &mut Fold, now: i64, rules: &Rules) -> News {
        let now = self.last.as_ref().map_or(now, |last| now.max(last.now));
        let version = 2 * about.version + i64::from(about.by_deadline);
        let holding = if about.empty { Vec::new() } else { each_once(fold.signals(now, rules)) };
        let before = self.signals.clone().unwrap_or_default(); // it stays, if anything fails
        let mut signals = Vec::new();
        for signal in &holding {
            let known = before.iter().find(|one| one.subject_id == signal.subject_id);
            if self.unconfirmed || known.is_none_or(|known| !same(known, signal)) {
                signals.push((Some(signal.event.clone()), encoded(about, signal, version, None, rules)));
            }
        }
        for signal in &before {
            if !holding.iter().any(|one| one.subject_id == signal.subject_id) {
                let gone = about.gone.iter().rev().find(|(event, _)| *event == signal.event);
                let reason = match gone {
                    Some((_, owner)) => Reason::Moved(owner),
                    None if fold.lets_go(signal.order(), &signal.event, rules) => Reason::LetGo,
                    None => Reason::Contradicted,
                };
                signals.push((None, encoded(about, signal, version, Some(reason), rules)));
            }
        }
        self.signals = Some(holding);
        self.unconfirmed = false;
        self.last = (!about.empty).then(|| Publication {
            version: about.version,
            now,
            due: fold.next_deadline(Some(now), rules),
            meanings: about.meanings,
        });
        News { now, version, signals }
    }
}

/// As a dict by subject: of several with one subject the first gives the place and the last the value.
fn each_once(signals: Vec<Arc<Signal>>) -> Vec<Arc<Signal>> {
    let mut found: Vec<Arc<Signal>> = Vec::with_capacity(signals.len());
    for signal in signals {
        match found.iter_mut().find(|one| one.subject_id == signal.subject_id) {
            Some(one) => *one = signal,
            None => found.push(signal),
        }
    }
    found
}

fn same(one: &Arc<Signal>, other: &Arc<Signal>) -> bool {
    Arc::ptr_eq(one, other)
        || (one.order() == other.order()
            && one.event_ids == other.event_ids
            && one.details == other.details
            && one.event == other.event)
}

/// A JourneySignal.
fn encoded(
    about: &Publishing,
    signal: &Signal,
    version: i64,
    reason: Option<Reason>,
    rules: &Rules,
) -> Vec<u8> {
    let mut out = header(JOURNEY_SIGNAL, 384);
    put_text(&mut out, about.tenant);
    put_text(&mut out, about.profile_id);
    put_text(&mut out, &uuid5_text(&NAMESPACE, &[about.profile_id, "/", &signal.subject_id]));
    put_text(&mut out, &signal.subject_id);
    put_text(&mut out, &signal.kind);
    put_long(&mut out, i64::from(reason.is_some()));
    put_optional(&mut out, reason, |out, reason| put_long(out, reason.symbol()));
    let successor = match reason {
        Some(Reason::Moved(owner)) => Some(owner),
        _ => None,
    };
    put_optional(&mut out, successor, put_text);
    put_long(&mut out, signal.occurred_at);
    put_text(&mut out, words(rules, &signal.kind));
    put_items(&mut out, signal.event_ids.iter(), |out, event_id| put_text(out, event_id));
    put_items(&mut out, signal.details.iter(), |out, (name, value)| {
        put_text(out, name);
        put_text(out, value);
    });
    put_long(&mut out, version);
    out
}

/// A SignalsWrittenAhead of what the news raise; None if they raise nothing.
pub fn written_ahead(news: &News) -> Option<Vec<u8>> {
    let raised = || news.signals.iter().filter_map(|(event, value)| Some((event.as_ref()?, value)));
    let count = raised().count();
    if count == 0 {
        return None;
    }
    let mut out = header(SIGNALS_WRITTEN_AHEAD, 64 + 512 * count);
    put_long(&mut out, news.now);
    put_long(&mut out, count as i64);
    for (event, value) in raised() {
        put_text(&mut out, event);
        put_long(&mut out, value.len() as i64);
        out.extend_from_slice(value);
    }
    out.push(0);
    Some(out)
}

fn header(schema: [u8; 8], room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(b"\xc3\x01");
    out.extend_from_slice(&schema);
    out
}
