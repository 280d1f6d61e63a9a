//! Journeys on their way to Python and back (`streams/journeys/native_journeys.py`).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::{parts, Held, Journeys};
use crate::encoding::Uncovered;
use crate::events::event_key;
use crate::journey::{Journey, PathDump};
use crate::prediction::recent_path::RecentPath;
use crate::python::fold::Fold;
use crate::signals::told::{Publication, Told};
use crate::timeline::entry::Entry;
use crate::timeline::timeline::{Pointer, Timeline};
use crate::touchpoint::Owned;

impl Journeys {
    /// Gives a journey back to Python; None if it is not here.
    pub(super) fn give_back<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.unpack(key, packer)?;
        let Some(held) = self.held.remove(key) else { return Ok(None) };
        let Held { journey: Journey { timeline, told, path }, slot, .. } = held;
        let given = PyDict::new(py);
        given.set_item("version", timeline.version)?;
        given.set_item("settled", !timeline.unsettled)?;
        let entries = PyList::empty(py);
        for entry in &timeline.entries {
            let Ok(owned) = Owned::read_countable(&entry.value) else {
                return Err(PyValueError::new_err("a journey holds what the core does not cover"));
            };
            let value = PyBytes::new(py, &entry.value);
            entries.append((entry.at, &*entry.event, owned.owner, owned.version, value))?;
        }
        given.set_item("entries", entries)?;
        given
            .set_item("pointers", timeline.pointers.into_iter().map(|one| one.record).collect::<Vec<_>>())?;
        given.set_item("count", timeline.folded)?;
        if let Some(folded) = timeline.fold {
            given.set_item("fold", Fold { tables: self.tables.clone(), folded }.into_pyobject(py)?)?;
        }
        let last = told.last.as_ref();
        given.set_item("last", last.map(|last| (last.version, last.now, last.due, last.meanings)))?;
        given.set_item("unconfirmed", told.unconfirmed)?;
        // of a journey that the fetch has not touched they follow from its last publication
        if let (Some(signals), true) = (&told.signals, slot.is_some() || told.last.is_none()) {
            let objects = signals.iter().map(|signal| self.tables.object(py, signal));
            given.set_item("signals", objects.collect::<PyResult<Vec<_>>>()?)?;
        }
        given.set_item("path", path.map(|path| path.dump()))?;
        if let Some(touched) = slot.and_then(|slot| self.touched[slot].take()) {
            given.set_item("slot", slot)?;
            given.set_item("changes", touched.entries)?;
            given.set_item(
                "assigned",
                touched.pointers.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            )?;
            let forwards = touched.forwards.iter().map(|(owner, value)| (owner, PyBytes::new(py, value)));
            given.set_item("forwards", forwards.collect::<Vec<_>>())?;
            let transfers = touched.transfers.iter().map(|(_, value)| PyBytes::new(py, value));
            given.set_item("transfers", transfers.collect::<Vec<_>>())?;
            let gone = PyDict::new(py);
            for (event, owner) in &touched.gone {
                gone.set_item(&**event, owner)?;
            }
            given.set_item("gone", gone)?;
            given.set_item("emptied", touched.emptied)?;
        }
        Ok(Some(given))
    }

    /// Takes a journey from Python, if it covers all of it; returns whether it did.
    pub(super) fn take_over(&mut self, key: &[u8], given: Received) -> PyResult<bool> {
        let (tenant, profile_id) = parts(key)?;
        let entries = given.values.iter().map(|value| entry(value.as_bytes(), tenant, profile_id));
        let Ok(entries) = entries.collect::<Result<Vec<_>, _>>() else { return Ok(false) };
        let fold = given.fold.filter(|_| given.count == entries.len());
        let fold = fold.map(|fold| std::mem::take(&mut fold.borrow_mut().folded));
        let (version, now, due, meanings) = given.last;
        let timeline = Timeline {
            size: entries.iter().map(|entry: &Entry| entry.value.len()).sum(),
            folded: if fold.is_some() { given.count } else { 0 },
            entries,
            pointers: given.pointers.into_iter().map(PointerOf::pointer).collect(),
            version: given.version,
            fold,
            unsettled: false,
        };
        let told = Told {
            signals: None,
            unconfirmed: false,
            last: Some(Publication { version, now, due, meanings }),
        };
        let journey = Journey { timeline, told, path: given.path.map(RecentPath::load) };
        self.held.insert(key.into(), Held { journey, slot: None, used: 0 });
        Ok(true)
    }
}

/// A journey of Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Received<'py> {
    version: i64,
    /// In the fold order.
    values: Vec<Bound<'py, PyBytes>>,
    pointers: Vec<PointerOf>,
    fold: Option<Bound<'py, Fold>>,
    count: usize,
    last: (i64, i64, Option<i64>, i64),
    path: Option<PathDump>,
}

/// Type, value, version, owner and record of an assignment.
#[derive(FromPyObject)]
pub(super) struct PointerOf(String, String, i64, Option<String>, Py<PyAny>);

impl PointerOf {
    pub(super) fn pointer(self) -> Pointer<Py<PyAny>> {
        let PointerOf(kind, name, version, owner, record) = self;
        Pointer { node: (kind.into(), name.into()), version, owner: owner.map(Into::into), record }
    }
}

/// An entry of a value that the core covers.
pub(super) fn entry(value: &[u8], tenant: &str, profile_id: &str) -> Result<Entry, Uncovered> {
    let owned = Owned::read_countable(value)?;
    let touchpoint = &owned.touchpoint;
    if touchpoint.account_id.is_some() || touchpoint.tenant != tenant || owned.profile_id != profile_id {
        return Err(Uncovered);
    }
    Ok(Entry { at: touchpoint.occurred_at, event: event_key(touchpoint), value: value.into() })
}
