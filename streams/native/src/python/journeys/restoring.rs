//! Recovery: changelog records become journeys (`JourneyPartition.restore`).

use std::collections::HashMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::{parts, Held, Journeys, ENTRY, POINTER, PUBLICATION};
use crate::assignment::Assignment;
use crate::encoding::UNWALKED_BYTES;
use crate::events::event_key;
use crate::journey::Journey;
use crate::signals::told::Publication;
use crate::stitch::check::is_identifier;
use crate::timeline::entry::{id_of, Entry};
use crate::timeline::timeline::Pointer;
use crate::touchpoint::Owned;

/// A due time that stands for none (`published.py`).
const NEVER: i64 = i64::MAX;

/// Where it stopped, the newest event time, and the deadlines that changed.
pub(super) type Restored<'py> = (usize, Option<i64>, Vec<(Bound<'py, PyBytes>, Option<i64>)>);

/// The kind of a changelog key with its slashes, and the rest.
type Kind<'a> = (&'a [u8], &'a [u8]);

/// What a changelog record says of a profile.
enum Change {
    /// A touchpoint of this event time has its place.
    Entry { at: i64, published: bool },
    /// It was published, and has this deadline.
    Published(Option<i64>),
    /// Nothing about deadlines.
    Told,
}

impl Journeys {
    /// `Journeys.restore`.
    pub(super) fn restore_records<'py>(
        &mut self,
        py: Python<'py>,
        (records, start): (&Bound<'py, PyList>, usize),
        scheduled: &Bound<'py, PyDict>,
        held_by_python: &(Bound<'py, PyDict>, Bound<'py, PyDict>),
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Restored<'py>> {
        let (mut at, mut newest) = (start, None);
        let mut deadlines: HashMap<Box<[u8]>, Option<i64>> = HashMap::new();
        while at < records.len() {
            let record = records.get_item(at)?;
            let name = record.getattr(intern!(py, "key"))?;
            let value = record.getattr(intern!(py, "value"))?;
            let (Ok(name), Ok(value)) = (name.downcast::<PyBytes>(), value.downcast::<PyBytes>()) else {
                break; // what is deleted Python takes out
            };
            let Some((key, kind)) = split(name.as_bytes()) else { break };
            if !self.is_restorable(py, key, held_by_python, packer)? {
                break;
            }
            let Some(change) = self.restore_one(key, kind, value)? else { break };
            match change {
                Change::Entry { at, published } => {
                    newest = newest.max(Some(at));
                    let known = published || deadlines.contains_key(key);
                    if !known && !scheduled.contains(PyBytes::new(py, key))? {
                        deadlines.insert(key.into(), Some(at));
                    }
                }
                Change::Published(due) => drop(deadlines.insert(key.into(), due)),
                Change::Told => {}
            }
            at += 1;
        }
        let deadlines = deadlines.into_iter().map(|(key, due)| (PyBytes::new(py, &key), due));
        Ok((at, newest, deadlines.collect()))
    }

    /// Whether the journey is here and had no input since it was restored, or is nowhere yet.
    fn is_restorable<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        (objects, compressed): &(Bound<'py, PyDict>, Bound<'py, PyDict>),
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        if self.held.contains_key(key) || self.unpack(key, packer)? {
            return Ok(self.held.get(key).is_some_and(|held| held.journey.timeline.unsettled));
        }
        let key = PyBytes::new(py, key);
        Ok(!objects.contains(&key)? && !compressed.contains(&key)?)
    }

    /// Applies a record; None if Python must do it, and nothing has changed then.
    fn restore_one(
        &mut self,
        key: &[u8],
        (kind, rest): Kind,
        value: &Bound<'_, PyBytes>,
    ) -> PyResult<Option<Change>> {
        let bytes = value.as_bytes();
        if bytes.len() > UNWALKED_BYTES {
            return Ok(None);
        }
        let (tenant, profile_id) = parts(key)?;
        Ok(match kind {
            ENTRY => {
                let Ok(owned) = Owned::read_countable(bytes) else { return Ok(None) };
                let event = event_key(&owned.touchpoint);
                let here = owned.touchpoint.tenant == tenant && owned.profile_id == profile_id;
                if !here || !self.is_plain(&owned) || id_of(&owned, &event).as_bytes() != rest {
                    return Ok(None);
                }
                let (horizon, at) = (self.horizon, owned.touchpoint.occurred_at);
                let entry = Entry { at, event, value: bytes.into() };
                let Journey { timeline, told, .. } = self.restoring(key);
                match timeline.entries.iter().rev().find(|known| known.event == entry.event) {
                    Some(known) if known.value == entry.value => {}
                    Some(_) => return Ok(None), // a copy
                    None if timeline.has_room(1, bytes.len(), horizon) => drop(timeline.insert(entry)),
                    None => return Ok(None),
                }
                Some(Change::Entry { at, published: told.last.is_some() })
            }
            PUBLICATION => {
                let Some(last) = Publication::read(bytes) else { return Ok(None) };
                if last.due == Some(NEVER) {
                    return Ok(None);
                }
                let journey = self.restoring(key);
                if journey.told.last.as_ref().is_none_or(|known| known.place() <= last.place()) {
                    journey.timeline.version = last.version;
                    let due = last.due;
                    journey.told.last = Some(last);
                    return Ok(Some(Change::Published(due)));
                }
                Some(Change::Told)
            }
            POINTER => {
                let Ok(assignment) = Assignment::read_record(bytes) else { return Ok(None) };
                let named = [assignment.node.0, ":", assignment.node.1].concat();
                if assignment.tenant != tenant || !is_identifier(assignment.node) || named.as_bytes() != rest
                {
                    return Ok(None);
                }
                let pointers = &mut self.restoring(key).timeline.pointers;
                let pointer = Pointer {
                    node: (assignment.node.0.into(), assignment.node.1.into()),
                    version: assignment.version,
                    owner: Some(assignment.profile_id.into()),
                    record: value.clone().into_any().unbind(),
                };
                match pointers.iter_mut().find(|known| known.node == pointer.node) {
                    None => pointers.push(pointer),
                    Some(known) if known.version < pointer.version => *known = pointer,
                    Some(_) => {}
                }
                Some(Change::Told)
            }
            _ => None,
        })
    }

    /// The journey under restoration with a key, a new one if it is not here.
    fn restoring(&mut self, key: &[u8]) -> &mut Journey<Py<PyAny>> {
        let used = self.fetches;
        let new = || {
            let mut journey = Journey::default();
            journey.restored();
            Held { journey, slot: None, used }
        };
        &mut self.held.entry(key.into()).or_insert_with(new).journey
    }
}

/// The profile of a changelog key, and its kind and rest (`changelog_keys.py`).
fn split(name: &[u8]) -> Option<(&[u8], Kind<'_>)> {
    let mut slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let (_, end, next) = (slashes.next()?, slashes.next()?, slashes.next()?);
    Some((&name[..end], (&name[end..=next], &name[next + 1..])))
}
