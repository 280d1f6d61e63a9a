//! The journeys of a partition that the native core keeps, and a fetch of their touchpoints in one call
//! (`streams/journeys/native_journeys.py`).

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::journey::Journey;
use crate::python::fold::{Core, Tables};
use crate::python::journeys::exchange::Received;
use crate::python::journeys::fetch::{Fetch, Touched};
use crate::python::journeys::predicting::{Encoded, Models};
use crate::python::journeys::restoring::Restored;

mod checkpoint;
mod exchange;
mod fetch;
mod keeping;
mod moving;
mod predicting;
mod publishing;
mod restoring;
mod taking;

const ENTRY: &[u8] = b"/e/";
const POINTER: &[u8] = b"/p/";
const PUBLICATION: &[u8] = b"/s/";
const WRITE_AHEAD: &[u8] = b"/i/";
/// The header of a tombstone with its version (`schemas/headers.py`).
const VERSION: &str = "version";

/// Why `take` stopped.
const DONE: u8 = 0;
/// Python must take the record.
const REFUSED: u8 = 1;
/// Python holds the journey.
const HELD: u8 = 2;
/// The core failed: Python must take the record, and say so.
const FAILED: u8 = 3;

struct Held {
    journey: Journey<Py<PyAny>>,
    /// Among the touched of the fetch.
    slot: Option<usize>,
    /// Number of the fetch that used it last.
    used: u64,
}

/// Where `take` stopped and why, the newest event time, how many touchpoints each tenant's model has learnt, and what
/// failed, if something did.
type Taken = (usize, u8, i64, Vec<(String, i64)>, Option<String>);

/// A journey, packed.
struct Packed {
    bytes: Box<[u8]>,
    /// Whether `bytes` are compressed.
    compressed: bool,
    /// Whether it has had no input since it was restored (`Timeline::unsettled`).
    unsettled: bool,
}

/// Journeys by key, `tenant/profile`.
#[pyclass(module = "touchline_native")]
pub struct Journeys {
    tables: Arc<Tables>,
    horizon: usize,
    predict_next: bool,
    predict_risk: bool,
    held: HashMap<Box<[u8]>, Held>,
    /// The others, packed and compressed.
    packed: HashMap<Box<[u8]>, Packed>,
    fetches: u64,
    touched: Vec<Option<Touched>>,
    predictions: HashMap<String, Encoded>,
}

#[pymethods]
impl Journeys {
    /// `horizon` is the number of touchpoints that an identifier keeps.
    #[new]
    fn new(core: &Core, horizon: usize, predict_next: bool, predict_risk: bool) -> Self {
        Journeys {
            tables: core.0.clone(),
            horizon,
            predict_next,
            predict_risk,
            held: HashMap::new(),
            packed: HashMap::new(),
            fetches: 1,
            touched: Vec::new(),
            predictions: HashMap::new(),
        }
    }

    fn __len__(&self) -> usize {
        self.held.len() + self.packed.len()
    }

    fn __contains__(&self, key: &[u8]) -> bool {
        self.held.contains_key(key) || self.packed.contains_key(key)
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let keys: Vec<_> = self.held.keys().chain(self.packed.keys()).collect();
        PyList::new(py, keys.into_iter().map(|key| PyBytes::new(py, key)))
    }

    /// How many journeys are in use, and not packed.
    #[getter]
    fn in_use(&self) -> usize {
        self.held.len()
    }

    /// The journeys used least recently, so many of them, as `evict` compresses them. `packer` is Python's.
    fn samples<'py>(
        &self,
        py: Python<'py>,
        most: usize,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let mut found = Vec::new();
        for key in self.oldest(most) {
            if let Some(packed) = self.pack(&key, packer)? {
                found.push(PyBytes::new(py, &packed));
            }
        }
        Ok(found)
    }

    /// Packs the journeys used least recently, so many of them.
    fn evict(&mut self, most: usize, packer: &Bound<'_, PyAny>) -> PyResult<()> {
        for key in self.oldest(most) {
            self.put_away(key, packer)?;
        }
        Ok(())
    }

    /// How many journeys the fetch has touched.
    #[getter]
    fn count(&self) -> usize {
        self.touched.len()
    }

    /// Takes the touchpoints of a fetch from `start` on, until `stop`, or until one that Python must take.
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        start: usize,
        stop: usize,
        mut fetch: Fetch<'py>,
    ) -> PyResult<Taken> {
        let mut tenants = Vec::new();
        let (mut at, mut why, mut failure) = (start, DONE, None);
        while at < stop && why == DONE {
            let record = records.get_item(at)?;
            match guarded(|| self.take_one(py, &record, &mut fetch, &mut tenants)) {
                Ok(said) => why = said,
                Err(error) => (why, failure) = (FAILED, Some(error.to_string())),
            }
            at += usize::from(why == DONE);
        }
        let learnt = tenants.into_iter().filter(|one| one.learnt > 0).map(|one| (one.name, one.learnt));
        Ok((at, why, fetch.watermark, learnt.collect(), failure))
    }

    /// Publishes the touched journeys from one place to another, as of `now`.
    ///
    /// `model` gives a tenant's model, `form` is how the versions of models begin. Returns lists of records: for other
    /// profiles, states, signals, what to write ahead, changelog records of touchpoints and assignments, of publications,
    /// and each next deadline; then the last input and the error of each journey that could not be published.
    #[expect(clippy::too_many_arguments)]
    fn publish<'py>(
        &mut self,
        py: Python<'py>,
        start: usize,
        stop: usize,
        now: i64,
        meanings: i64,
        model: &Bound<'py, PyAny>,
        form: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.publish_touched(py, (start, stop), (now, meanings), &mut Models::new(model, form))
    }

    /// Publishes a journey whose deadline has passed, as of `now`. Returns the lists of signals, of what to write ahead,
    /// of the changelog and of the next deadline; None if Python must do it.
    fn fire<'py>(
        &mut self,
        py: Python<'py>,
        key: &Bound<'py, PyBytes>,
        now: i64,
        meanings: i64,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.publish_due(py, key, (now, meanings), packer)
    }

    /// Forgets which journeys the fetch has touched.
    fn finish(&mut self, py: Python<'_>) {
        self.fetches += 1;
        for touched in self.touched.drain(..).flatten() {
            if let Some(held) = self.held.get_mut(touched.key.bind(py).as_bytes()) {
                held.slot = None;
            }
        }
    }

    /// Gives a journey back to Python; None if it is not here.
    fn give<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.give_back(py, key, packer)
    }

    /// Takes a journey from Python, if it covers all of it; returns whether it did.
    fn receive(&mut self, key: &[u8], given: Received) -> PyResult<bool> {
        self.take_over(key, given)
    }

    /// Restores changelog records from `start` on, until one that Python must restore.
    ///
    /// `scheduled` has the deadlines known, by key; `objects` and `compressed` the journeys that Python holds.
    fn restore<'py>(
        &mut self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        start: usize,
        scheduled: &Bound<'py, PyDict>,
        held_by_python: (Bound<'py, PyDict>, Bound<'py, PyDict>),
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Restored<'py>> {
        self.restore_records(py, (records, start), scheduled, &held_by_python, packer)
    }

    /// All journeys as bytes, as `load` reads them, each with its deadline in `scheduled`; and the keys of those that
    /// only Python can write down. No fetch may be under way.
    fn dump<'py>(
        &self,
        py: Python<'py>,
        scheduled: &Bound<'py, PyDict>,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>)> {
        self.dump_all(py, scheduled, packer)
    }

    /// Fills an empty store with what `dump` wrote. Returns the keys that have a deadline, with that.
    ///
    /// Raises ValueError for other bytes; the store may be used no more then.
    fn load<'py>(&mut self, py: Python<'py>, dumped: &[u8]) -> PyResult<Vec<(Bound<'py, PyBytes>, i64)>> {
        self.load_all(py, dumped)
    }
}

/// Tenant and profile of a key.
fn parts(key: &[u8]) -> PyResult<(&str, &str)> {
    let text = std::str::from_utf8(key).map_err(|_| PyValueError::new_err("a key is not text"))?;
    text.split_once('/').ok_or_else(|| PyValueError::new_err("a key names no profile"))
}

/// Turns a panic, which would stop the worker, into an error like any other.
fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(PyRuntimeError::new_err(format!("the native core failed: {said}")))
    })
}
