//! Moves and Transfers (`Timeline.move` and `receive`), under assignments to one profile.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::fetch::{set_change, Fetch, Tenant};
use super::keeping::encoded;
use super::taking::{is_in_its_place, tenant_of};
use super::{Journeys, DONE, ENTRY, POINTER, REFUSED};
use crate::assignment::{transfers, Moved, IDENTITY_ASSIGNMENT};
use crate::encoding::HEADER_BYTES;
use crate::events::{event_key, Event};
use crate::journey::Journey;
use crate::stitch::check::{is_identifier, is_name, is_uuid, EARLIEST_MS, LATEST_MS};
use crate::timeline::entry::{id_of, Entry};
use crate::timeline::timeline::{put_resolved, Pointer, Timeline};
use crate::touchpoint::Owned;

impl Journeys {
    /// Takes a Move or a Transfer (`Timeline.move` and `receive`). Returns DONE; or why it did not.
    pub(super) fn take_moved<'py>(
        &mut self,
        py: Python<'py>,
        (record, key): (&Bound<'py, PyAny>, &Bound<'py, PyBytes>),
        moved: &Moved,
        fetch: &mut Fetch<'py>,
        tenants: &mut Vec<Tenant<'py>>,
    ) -> PyResult<u8> {
        let assignment = &moved.assignment;
        let plain = is_plain_assignment(moved)
            && moved.touchpoints.iter().all(|(touchpoint, _)| self.is_plain_touchpoint(touchpoint))
            && moved.touchpoints.iter().all(|(touchpoint, _)| touchpoint.tenant == assignment.tenant)
            && is_in_its_place((assignment.tenant, moved.profile_id), key.as_bytes(), fetch);
        if !plain || !(0..tenant_of(assignment.tenant, fetch, tenants)?.limit).contains(&assignment.version) {
            return Ok(REFUSED);
        }
        let why = self.why_not(key, fetch)?;
        if why != DONE {
            return Ok(why);
        }
        let empty = Timeline::default();
        let timeline = self.held.get(key.as_bytes()).map_or(&empty, |held| &held.journey.timeline);
        let known = timeline.pointers.iter().position(|one| (&*one.node.0, &*one.node.1) == assignment.node);
        let newer = known.is_none_or(|index| timeline.pointers[index].version < assignment.version);
        // of the newest assignment known: version, owner, and the encoded datum
        let (version, owner, datum) = match known {
            Some(index) if !newer => {
                let pointer = &timeline.pointers[index];
                let Some(owner) = &pointer.owner else { return Ok(REFUSED) };
                let encoded = encoded(&pointer.record, &fetch.packer)?;
                (pointer.version, owner.to_string(), encoded.as_bytes()[HEADER_BYTES..].to_vec())
            }
            _ => (assignment.version, assignment.profile_id.to_owned(), assignment.datum.to_vec()),
        };
        let Some(brought) = brought(moved, timeline, version, &owner, self.horizon) else {
            return Ok(REFUSED);
        };
        let slot = self.touch(record, key, fetch)?;
        let (Some(held), Some(touched)) = (self.held.get_mut(key.as_bytes()), &mut self.touched[slot]) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        let Journey { timeline, path, .. } = &mut held.journey;
        *path = None; // it is rebuilt when it is needed
        if newer {
            let (kind, value) = assignment.node;
            let record =
                PyBytes::new(py, &[b"\xc3\x01", &IDENTITY_ASSIGNMENT[..], assignment.datum].concat());
            let name = [key.as_bytes(), POINTER, kind.as_bytes(), b":", value.as_bytes()].concat();
            set_change(py, &mut touched.pointers, &name, Some(record.clone().unbind()));
            let pointer = Pointer {
                node: (kind.into(), value.into()),
                version,
                owner: Some(owner.as_str().into()),
                record: record.into_any().unbind(),
            };
            match known {
                Some(index) => timeline.pointers[index] = pointer,
                None => timeline.pointers.push(pointer),
            }
        }
        if owner != moved.profile_id {
            let mut leaving = Vec::new();
            for entry in timeline.remove(assignment.node, version) {
                let Ok(owned) = Owned::read_countable(&entry.value) else { continue };
                let name = [key.as_bytes(), ENTRY, id_of(&owned, &entry.event).as_bytes()].concat();
                set_change(py, &mut touched.entries, &name, None);
                leaving.push((entry.value.len(), entry.value[owned.touchpoint_at..].to_vec()));
                touched.gone.push((entry.event.clone(), owner.clone()));
                touched.emptied = timeline.entries.is_empty();
            }
            for transfer in transfers(&owner, moved.profile_id, &datum, &leaving) {
                touched.transfers.push((owner.clone(), transfer));
            }
        }
        for arrived in brought {
            match arrived {
                Brought::Forward(value) => touched.forwards.push((owner.clone(), value)),
                Brought::Entry { name, entry } => {
                    let name = [key.as_bytes(), ENTRY, name.as_bytes()].concat();
                    let value = PyBytes::new(py, &entry.value).unbind();
                    set_change(py, &mut touched.entries, &name, Some(value));
                    touched.emptied = false;
                    timeline.insert(entry);
                }
            }
        }
        Ok(DONE)
    }
}

/// Whether an assignment could be identity's, but for its version (`internal.check_assignment`).
fn is_plain_assignment(moved: &Moved) -> bool {
    let assignment = &moved.assignment;
    is_name(assignment.tenant)
        && is_identifier(assignment.node)
        && is_uuid(assignment.profile_id)
        && is_uuid(moved.profile_id)
        && moved.from_profile_id.is_none_or(is_uuid)
        && (EARLIEST_MS..=LATEST_MS).contains(&assignment.occurred_at)
}

/// What a touchpoint of a Transfer becomes.
enum Brought {
    Forward(Vec<u8>),
    Entry { name: String, entry: Entry },
}

/// What the touchpoints of a Transfer become, under the newest assignment known; None if Python must say.
fn brought<R>(
    moved: &Moved,
    timeline: &Timeline<R>,
    version: i64,
    owner: &str,
    horizon: usize,
) -> Option<Vec<Brought>> {
    let mut found = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    let mut size = 0;
    for (touchpoint, datum) in &moved.touchpoints {
        let event = event_key(touchpoint);
        let mut value = Vec::with_capacity(datum.len() + 128);
        if version > moved.assignment.version && owner != moved.profile_id {
            put_resolved(&mut value, moved.assignment.node, owner, version);
            value.extend_from_slice(datum);
            found.push(Brought::Forward(value));
            continue;
        }
        put_resolved(&mut value, moved.assignment.node, moved.profile_id, version);
        value.extend_from_slice(datum);
        if events.contains(&event) || timeline.entries.iter().any(|entry| entry.event == event) {
            return None; // a copy
        }
        size += value.len();
        let name = id_of(&Owned::read_countable(&value).ok()?, &event);
        events.push(event.clone());
        let entry = Entry { at: touchpoint.occurred_at, event, value: value.into() };
        found.push(Brought::Entry { name, entry });
    }
    timeline.has_room(events.len(), size, horizon).then_some(found)
}
