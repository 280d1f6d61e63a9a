//! A fetch under way: what is known of it, and what it has changed.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::events::Event;
use crate::python::prediction::{Risk, Transitions};

/// What `take` must know of the fetch and of the partition.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Fetch<'py> {
    /// The version of offset 0.
    pub(super) base: i64,
    pub(super) partition: u32,
    /// Of journey-inputs.
    pub(super) partitions: u32,
    pub(super) clock: f64,
    pub(super) watermark: i64,
    pub(super) meanings: i64,
    /// Tenant → the first version of an assignment that cannot exist yet.
    pub(super) limit: Bound<'py, PyAny>,
    /// Tenant → its model, or None without predictions.
    pub(super) model: Bound<'py, PyAny>,
    /// Keys of the journeys that Python holds, and of those that it must publish.
    pub(super) objects: Bound<'py, PyDict>,
    pub(super) compressed: Bound<'py, PyDict>,
    pub(super) packer: Bound<'py, PyAny>,
    pub(super) perhaps: Bound<'py, PyDict>,
}

/// A tenant of a fetch.
pub(super) struct Tenant<'py> {
    pub(super) name: String,
    pub(super) limit: i64,
    pub(super) counts: Option<(Bound<'py, Transitions>, Bound<'py, Risk>)>,
    pub(super) learnt: i64,
}

/// A changelog record; without a value its key is deleted.
pub(super) type Change = (Py<PyBytes>, Option<Py<PyBytes>>);

/// A journey that the fetch has touched, and what that asks of the world (`effects.py`).
pub(super) struct Touched {
    pub(super) key: Py<PyBytes>,
    /// Changelog records of touchpoints, each key once, or twice: a deletion and then a value.
    pub(super) entries: Vec<Change>,
    /// Changelog records of assignments, each key once.
    pub(super) pointers: Vec<Change>,
    /// Owner and ResolvedTouchpoint.
    pub(super) forwards: Vec<(String, Vec<u8>)>,
    /// Receiver and Transfer.
    pub(super) transfers: Vec<(String, Vec<u8>)>,
    /// Touchpoints that left, and to whom.
    pub(super) gone: Vec<(Event, String)>,
    /// Whether the last touchpoint left.
    pub(super) emptied: bool,
    /// The newest input that touched it.
    pub(super) cause: Py<PyAny>,
}

impl Touched {
    pub(super) fn new(key: &Bound<'_, PyBytes>, cause: &Bound<'_, PyAny>) -> Self {
        Touched {
            key: key.clone().unbind(),
            cause: cause.clone().unbind(),
            entries: Vec::new(),
            pointers: Vec::new(),
            forwards: Vec::new(),
            transfers: Vec::new(),
            gone: Vec::new(),
            emptied: false,
        }
    }
}

/// Sets a changelog record as a dict does: a key that is there keeps its place. A value that comes after the key was
/// deleted leaves the deletion before it (`Effects.cleared`).
pub(super) fn set_change(py: Python<'_>, changes: &mut Vec<Change>, name: &[u8], value: Option<Py<PyBytes>>) {
    let is_of_it = |change: &Change| change.0.bind(py).as_bytes() == name;
    let Some(at) = changes.iter().rposition(is_of_it) else {
        changes.push((PyBytes::new(py, name).unbind(), value));
        return;
    };
    if value.is_some() && changes[at].1.is_none() {
        changes.insert(at + 1, (PyBytes::new(py, name).unbind(), value));
    } else if value.is_none() && at > 0 && is_of_it(&changes[at - 1]) {
        changes.remove(at);
    } else {
        changes[at].1 = value;
    }
}
