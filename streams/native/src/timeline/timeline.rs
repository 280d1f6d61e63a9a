//! The plain part of `timeline.py`, `touchpoint_set.py` and `cached_fold.py`: a touchpoint takes its place.
//!
//! A timeline here has no copies that differ, no summary, and fewer touchpoints than the horizon takes away.

use crate::encoding::{put_long, put_text, Uncovered};
use crate::events::{event_key, Event};
use crate::prediction::recent_path::{Learning, Predicted, RecentPath};
use crate::rules::Rules;
use crate::state::fold::Fold;
use crate::timeline::entry::Entry;
use crate::touchpoint::{Owned, Touchpoint, RESOLVED_TOUCHPOINT};

/// Touchpoints are summed up in blocks of so many, or of so much text (`block_ends.py`).
const BLOCK: usize = 128;
const BLOCK_TEXT: usize = 256 * 1024;
/// The newest touchpoints from which a recent path is rebuilt (`predictions.py`).
const LOOK_BACK: usize = 64;

/// The newest assignment known of an identifier.
pub struct Pointer<R> {
    pub node: (Box<str>, Box<str>),
    pub version: i64,
    /// The owner at any time; None if that depends on the time, or if a correction cut the evidence.
    pub owner: Option<Box<str>>,
    /// The assignment.
    pub record: R,
}

pub struct Timeline<R> {
    /// In the fold order.
    pub entries: Vec<Entry>,
    /// Bytes of all touchpoints.
    pub size: usize,
    pub pointers: Vec<Pointer<R>>,
    /// Of the newest input applied.
    pub version: i64,
    pub fold: Option<Box<Fold>>,
    /// Touchpoints in the fold.
    pub folded: usize,
    /// Whether it has had no input since it was restored: what is another's may be here (`Timeline.settle`).
    pub unsettled: bool,
}

impl<R> Default for Timeline<R> {
    fn default() -> Self {
        Timeline {
            entries: Vec::new(),
            size: 0,
            pointers: Vec::new(),
            version: 0,
            fold: None,
            folded: 0,
            unsettled: false,
        }
    }
}

/// What a touchpoint is to a timeline.
pub enum Arrival {
    /// The same copy is there already.
    Known,
    /// It takes a place. With a newer version than it came with, it is written anew.
    New { event: Event, rewritten: Option<Vec<u8>> },
    /// A newer assignment gives it to another profile.
    Forward { owner: String, value: Vec<u8> },
}

impl<R> Timeline<R> {
    /// What a touchpoint of the profile is to the timeline. Changes nothing.
    pub fn arrival(
        &self,
        owned: &Owned,
        value: &[u8],
        profile_id: &str,
        horizon: usize,
    ) -> Result<Arrival, Uncovered> {
        let touchpoint = &owned.touchpoint;
        let pointer = self.pointers.iter().find(|one| (&*one.node.0, &*one.node.1) == owned.owner);
        let mut rewritten = None;
        if let Some(pointer) = pointer {
            let Some(owner) = &pointer.owner else { return Err(Uncovered) };
            if pointer.version > owned.version {
                let written = with_version(owned, owner, pointer.version, value);
                if **owner != *profile_id {
                    return Ok(Arrival::Forward { owner: owner.to_string(), value: written });
                }
                rewritten = Some(written);
            }
        }
        let event = event_key(touchpoint);
        let kept = rewritten.as_deref().unwrap_or(value);
        if let Some(known) = self.entries.iter().rev().find(|entry| entry.event == event) {
            return if *known.value == *kept { Ok(Arrival::Known) } else { Err(Uncovered) };
        }
        if !self.has_room(1, kept.len(), horizon) {
            return Err(Uncovered);
        }
        Ok(Arrival::New { event, rewritten })
    }

    /// Puts an entry in its place. Returns whether it is the last.
    pub fn insert(&mut self, entry: Entry) -> bool {
        self.size += entry.value.len();
        let Some(newest) = self.entries.last() else {
            self.entries.push(entry);
            return true;
        };
        let (together, is_last) = (entry.at <= newest.at, entry.place() > newest.place());
        if together {
            self.forget(); // touchpoints of one time are folded together
        }
        if is_last {
            self.entries.push(entry);
            return true;
        }
        let index = self.entries.partition_point(|known| known.place() < entry.place());
        self.entries.insert(index, entry);
        false
    }

    /// Takes out what a node owns under assignments up to a version, in the fold order.
    pub fn remove(&mut self, node: (&str, &str), version: i64) -> Vec<Entry> {
        let leaves =
            |entry: &Entry| read(entry).is_some_and(|owned| owned.owner == node && owned.version <= version);
        let (left, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries).into_iter().partition(leaves);
        self.entries = kept;
        if !left.is_empty() {
            self.size -= left.iter().map(|entry| entry.value.len()).sum::<usize>();
            self.forget();
        }
        left
    }

    /// Whether so many touchpoints more, of so many bytes, are still before the horizon.
    pub fn has_room(&self, count: usize, bytes: usize, horizon: usize) -> bool {
        self.entries.len() + count < horizon + BLOCK && self.size + bytes < BLOCK_TEXT
    }

    /// Whether no assignment known gives away a touchpoint that is here: `settle` would change nothing.
    pub fn is_at_home(&self, profile_id: &str) -> bool {
        let elsewhere: Vec<_> =
            self.pointers.iter().filter(|pointer| pointer.owner.as_deref() != Some(profile_id)).collect();
        elsewhere.iter().all(|pointer| {
            let node = (&*pointer.node.0, &*pointer.node.1);
            pointer.owner.is_some()
                && !self
                    .entries
                    .iter()
                    .filter_map(read)
                    .any(|owned| owned.owner == node && owned.version <= pointer.version)
        })
    }

    /// Lets the fold be made anew.
    pub fn forget(&mut self) {
        (self.fold, self.folded) = (None, 0);
    }

    /// The fold over all touchpoints.
    pub fn fold(&mut self, rules: &Rules) -> &mut Fold {
        if self.fold.is_none() {
            self.folded = 0;
        }
        let fold = self.fold.get_or_insert_default();
        let news: Vec<Owned> = self.entries[self.folded..].iter().filter_map(read).collect();
        fold.advance_all(&news, rules);
        self.folded = self.entries.len();
        fold
    }

    /// The recent path, rebuilt without the newest `but` touchpoints (`Predictions._read`).
    pub fn path(&self, but: usize, with_risk: bool, rules: &Rules, predicted: &[Predicted]) -> RecentPath {
        let end = self.entries.len().saturating_sub(but);
        let mut back = Vec::new();
        let mut acted = false;
        for entry in self.entries[end.saturating_sub(LOOK_BACK)..end].iter().rev() {
            let Some(owned) = read(entry) else { continue };
            let meaning = rules.meaning(owned.touchpoint.kind);
            let staged = meaning.stage.is_some();
            acted = acted || meaning.inbound;
            back.push((entry, owned));
            if acted && staged && !with_risk {
                break;
            }
        }
        let mut path = RecentPath::new(with_risk);
        for (entry, owned) in back.iter().rev() {
            let touchpoint: &Touchpoint = &owned.touchpoint;
            let index = rules.meaning_index(touchpoint.kind);
            let meant = (&rules.meanings[index], &predicted[index]);
            path.advance(touchpoint, &entry.event, meant, &mut Learning::default());
        }
        path
    }
}

/// An entry, read. It was read once before, so no error can occur.
fn read(entry: &Entry) -> Option<Owned<'_>> {
    Owned::read_countable(&entry.value).ok()
}

/// The same ResolvedTouchpoint of a profile under another version.
fn with_version(owned: &Owned, profile_id: &str, version: i64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    put_resolved(&mut out, owned.owner, profile_id, version);
    out.extend_from_slice(&value[owned.touchpoint_at..]);
    out
}

/// How a ResolvedTouchpoint begins: all before the touchpoint.
pub fn put_resolved(out: &mut Vec<u8>, node: (&str, &str), profile_id: &str, version: i64) {
    out.extend_from_slice(b"\xc3\x01");
    out.extend_from_slice(&RESOLVED_TOUCHPOINT);
    for text in [node.0, node.1, profile_id] {
        put_text(out, text);
    }
    put_long(out, version);
}

/// Whether the catalogue means the same by a type as the fold does: no other spelling of one that it names.
pub fn is_named(kind: &str, rules: &Rules) -> bool {
    rules.types.contains_key(kind) || crate::stitch::check::is_canonical(kind)
}
