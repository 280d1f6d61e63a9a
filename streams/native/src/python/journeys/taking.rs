//! Touchpoints that a fetch brings to journeys of this store.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::fetch::{set_change, Fetch, Tenant, Touched};
use super::{parts, Held, Journeys, DONE, ENTRY, HELD, REFUSED};
use crate::assignment::Moved;
use crate::encoding::UNWALKED_BYTES;
use crate::journey::{Journey, Meant};
use crate::keys::partition_of;
use crate::prediction::recent_path::Learning;
use crate::python::prediction::{Risk, Transitions};
use crate::python::records::key_and_value;
use crate::stitch::check::{is_identifier, is_uuid, is_valid};
use crate::timeline::entry::{id_of, Entry};
use crate::timeline::timeline::{is_named, Arrival, Timeline};
use crate::touchpoint::{Owned, Touchpoint};

/// Version of a touchpoint that was stitched while no assignment of its identifier was known.
const NO_VERSION: i64 = -1;
/// A model learns nothing from a touchpoint further ahead of the clock (`predictions.py`).
const MAX_AHEAD_MS: f64 = 86_400_000.0;

impl Journeys {
    /// Takes a touchpoint. Returns DONE; or why it did not, and has changed nothing.
    pub(super) fn take_one<'py>(
        &mut self,
        py: Python<'py>,
        record: &Bound<'py, PyAny>,
        fetch: &mut Fetch<'py>,
        tenants: &mut Vec<Tenant<'py>>,
    ) -> PyResult<u8> {
        let Some((key, value)) = key_and_value(record)? else { return Ok(REFUSED) };
        let bytes = value.as_bytes();
        if bytes.len() > UNWALKED_BYTES {
            return Ok(REFUSED);
        }
        let Ok(owned) = Owned::read_countable(bytes) else {
            return match Moved::read(bytes) {
                Ok(moved) => self.take_moved(py, (record, &key), &moved, fetch, tenants),
                Err(_) => Ok(REFUSED),
            };
        };
        if !self.is_plain(&owned)
            || !is_in_its_place((owned.touchpoint.tenant, owned.profile_id), key.as_bytes(), fetch)
        {
            return Ok(REFUSED);
        }
        let tenant = tenant_of(owned.touchpoint.tenant, fetch, tenants)?;
        if owned.version >= tenant.limit {
            return Ok(REFUSED);
        }
        let why = self.why_not(&key, fetch)?;
        if why != DONE {
            return Ok(why);
        }
        let empty = Timeline::default();
        let timeline = self.held.get(key.as_bytes()).map_or(&empty, |held| &held.journey.timeline);
        let Ok(arrival) = timeline.arrival(&owned, bytes, owned.profile_id, self.horizon) else {
            return Ok(REFUSED);
        };
        let slot = self.touch(record, &key, fetch)?;
        let (Some(held), Some(touched)) = (self.held.get_mut(key.as_bytes()), &mut self.touched[slot]) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        let Meant { rules, predicted } = &self.tables.meant;
        let Journey { timeline, path, .. } = &mut held.journey;
        let touchpoint = &owned.touchpoint;
        fetch.watermark = fetch.watermark.max(touchpoint.occurred_at.min(touchpoint.received_at));
        let (event, rewritten) = match arrival {
            Arrival::Known => return Ok(DONE),
            Arrival::Forward { owner, value } => {
                touched.forwards.push((owner, value));
                return Ok(DONE);
            }
            Arrival::New { event, rewritten } => (event, rewritten),
        };
        let name = [key.as_bytes(), ENTRY, id_of(&owned, &event).as_bytes()].concat();
        let kept = rewritten.as_deref().unwrap_or(bytes);
        let change = match &rewritten {
            None => value.clone().unbind(),
            Some(kept) => PyBytes::new(py, kept).unbind(),
        };
        set_change(py, &mut touched.entries, &name, Some(change));
        touched.emptied = false;
        let at = touchpoint.occurred_at;
        let is_last = timeline.insert(Entry { at, event: event.clone(), value: kept.into() });
        let Some((transitions, risk)) = &tenant.counts else { return Ok(DONE) };
        if !is_last || path.as_ref().is_some_and(|path| (at, &event) <= (path.last.0, &path.last.1)) {
            *path = None; // it is rebuilt when it is needed
            return Ok(DONE);
        }
        let path = path.get_or_insert_with(|| timeline.path(1, self.predict_risk, rules, predicted));
        let index = rules.meaning_index(touchpoint.kind);
        let meant = (&rules.meanings[index], &predicted[index]);
        if at as f64 > fetch.clock * 1000.0 + MAX_AHEAD_MS {
            path.advance(touchpoint, &event, meant, &mut Learning::default());
            return Ok(DONE);
        }
        let (mut transitions, mut risk) = (transitions.borrow_mut(), risk.borrow_mut());
        let mut learning = Learning {
            transitions: self.predict_next.then_some(&mut transitions.counts),
            risk: self.predict_risk.then_some(&mut risk.counts),
        };
        path.advance(touchpoint, &event, meant, &mut learning);
        tenant.learnt += 1;
        Ok(DONE)
    }

    /// Why Python must take an input of a profile, whatever it is; DONE if it must not.
    pub(super) fn why_not(&mut self, key: &Bound<'_, PyBytes>, fetch: &Fetch) -> PyResult<u8> {
        let here = self.held.contains_key(key.as_bytes()) || self.unpack(key.as_bytes(), &fetch.packer)?;
        if !here && (fetch.objects.contains(key)? || fetch.compressed.contains(key)?) {
            return Ok(HELD);
        }
        if !fetch.perhaps.is_empty() && fetch.perhaps.contains(key)? {
            return Ok(REFUSED);
        }
        // what a former owner wrote late has to go first, and Python knows where to
        let Some(Held { journey: Journey { timeline, .. }, .. }) = self.held.get(key.as_bytes()) else {
            return Ok(DONE);
        };
        let at_home = !timeline.unsettled || timeline.is_at_home(parts(key.as_bytes())?.1);
        Ok(if at_home { DONE } else { REFUSED })
    }

    /// Notes that an input touches a journey, which is a new one if it is not here. Returns its place among the touched.
    pub(super) fn touch(
        &mut self,
        record: &Bound<'_, PyAny>,
        key: &Bound<'_, PyBytes>,
        fetch: &Fetch,
    ) -> PyResult<usize> {
        let offset: i64 = record.getattr(intern!(key.py(), "offset"))?.extract()?;
        if !self.held.contains_key(key.as_bytes()) {
            let held = Held { journey: Journey::default(), slot: None, used: 0 };
            self.held.insert(key.as_bytes().into(), held);
        }
        let Some(held) = self.held.get_mut(key.as_bytes()) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        held.used = self.fetches;
        let Journey { timeline, told, .. } = &mut held.journey;
        timeline.version = fetch.base + offset;
        if let Some(slot) = held.slot {
            if let Some(touched) = &mut self.touched[slot] {
                touched.cause = record.clone().unbind();
            }
            return Ok(slot);
        }
        if told.signals.is_none() {
            let (rules, now) = (&self.tables.meant.rules, fetch.watermark.min((fetch.clock * 1000.0) as i64));
            told.recall(timeline.fold(rules), now, fetch.meanings, rules);
        }
        timeline.unsettled = false;
        self.touched.push(Some(Touched::new(key, record)));
        Ok(*held.slot.insert(self.touched.len() - 1))
    }

    pub(super) fn is_plain_touchpoint(&self, touchpoint: &Touchpoint) -> bool {
        is_valid(touchpoint)
            && touchpoint.is_countable()
            && touchpoint.account_id.is_none()
            && is_named(touchpoint.kind, &self.tables.meant.rules)
    }

    /// Whether nothing about the touchpoint needs Python (`schemas/internal.py`).
    pub(super) fn is_plain(&self, owned: &Owned) -> bool {
        self.is_plain_touchpoint(&owned.touchpoint)
            && is_identifier(owned.owner)
            && is_uuid(owned.profile_id)
            && owned.version >= NO_VERSION
    }
}

/// Whether the record has the key of its value and is on the partition of that key (`internal.check_place`).
pub(super) fn is_in_its_place((tenant, profile_id): (&str, &str), key: &[u8], fetch: &Fetch) -> bool {
    let rest = key.strip_prefix(tenant.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    rest == Some(profile_id.as_bytes())
        && fetch.partitions > 0
        && partition_of(key, fetch.partitions) == fetch.partition
}

pub(super) fn tenant_of<'py, 'a>(
    name: &str,
    fetch: &Fetch<'py>,
    tenants: &'a mut Vec<Tenant<'py>>,
) -> PyResult<&'a mut Tenant<'py>> {
    if let Some(index) = tenants.iter().position(|one| one.name == name) {
        return Ok(&mut tenants[index]);
    }
    let model = fetch.model.call1((name,))?;
    let counts = if model.is_none() {
        None
    } else {
        let transitions = model.getattr("transitions")?.downcast_into::<Transitions>()?;
        Some((transitions, model.getattr("risk")?.downcast_into::<Risk>()?))
    };
    let limit = fetch.limit.call1((name,))?.extract()?;
    tenants.push(Tenant { name: name.to_owned(), limit, counts, learnt: 0 });
    let index = tenants.len() - 1;
    Ok(&mut tenants[index])
}
