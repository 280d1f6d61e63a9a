//! Folds: `Core`, made once of tables, and a `Fold` for each journey in use (`streams/journeys/state/native_fold.py`).

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::assignment::{IDENTITY_ASSIGNMENT, IDENTITY_LINK, MOVE, TRANSFER};
use crate::journey::Meant;
use crate::python::identity::PROFILE_CHANGED;
use crate::rules::{Rules, MOST_EXPECTATIONS};
use crate::signals::told::{JOURNEY_SIGNAL, SIGNALS_PUBLISHED, SIGNALS_WRITTEN_AHEAD};
use crate::state::fold::Fold as Folded;
use crate::state::record::JOURNEY_STATE;
use crate::state::signals::{words, Signal};
use crate::touchpoint::{Owned, RESOLVED_TOUCHPOINT, TOUCHPOINT};

/// Rules and catalogue of one process, compiled.
pub struct Tables {
    pub meant: Meant,
    /// The class of `streams/journeys/state/signals.py`.
    signal: Py<PyAny>,
}

/// Makes folds. Raises ValueError or TypeError for tables that Python does not make.
#[pyclass(frozen, module = "touchline_native")]
pub struct Core(pub Arc<Tables>);

#[pymethods]
impl Core {
    #[new]
    fn new(tables: Rules, signal: Py<PyAny>) -> PyResult<Self> {
        Ok(Core(Arc::new(Tables { meant: Meant::new(tables.check()?), signal })))
    }

    /// The fold over no touchpoints.
    fn fold(&self) -> Fold {
        Fold { tables: self.0.clone(), folded: Box::default() }
    }

    /// With more expectations the core refuses the rules.
    #[classattr]
    const MOST_EXPECTATIONS: usize = MOST_EXPECTATIONS;

    /// The schemas that the core reads and writes: name to CRC-64-AVRO.
    #[classattr]
    #[pyo3(name = "SCHEMAS")]
    fn schemas(py: Python<'_>) -> PyResult<Py<PyDict>> {
        let found = PyDict::new(py);
        found.set_item("Touchpoint", PyBytes::new(py, &TOUCHPOINT))?;
        found.set_item("ResolvedTouchpoint", PyBytes::new(py, &RESOLVED_TOUCHPOINT))?;
        found.set_item("JourneyState", PyBytes::new(py, &JOURNEY_STATE))?;
        found.set_item("Move", PyBytes::new(py, &MOVE))?;
        found.set_item("Transfer", PyBytes::new(py, &TRANSFER))?;
        found.set_item("IdentityAssignment", PyBytes::new(py, &IDENTITY_ASSIGNMENT))?;
        found.set_item("IdentityLink", PyBytes::new(py, &IDENTITY_LINK))?;
        found.set_item("JourneySignal", PyBytes::new(py, &JOURNEY_SIGNAL))?;
        found.set_item("SignalsWrittenAhead", PyBytes::new(py, &SIGNALS_WRITTEN_AHEAD))?;
        found.set_item("ProfileChanged", PyBytes::new(py, &PROFILE_CHANGED))?;
        found.set_item("SignalsPublished", PyBytes::new(py, &SIGNALS_PUBLISHED))?;
        Ok(found.unbind())
    }
}

/// The fold over one profile's touchpoints: the methods are those of `streams/journeys/state/fold.py`.
#[pyclass(module = "touchline_native")]
pub struct Fold {
    pub tables: Arc<Tables>,
    pub folded: Box<Folded>,
}

#[pymethods]
impl Fold {
    /// Folds encoded ResolvedTouchpoints that come in time order. False, and nothing is folded, if Python must do it.
    fn advance_all(&mut self, values: &Bound<'_, PyList>) -> PyResult<bool> {
        let values: Vec<Bound<'_, PyBytes>> =
            values.iter().map(|value| Ok(value.downcast_into::<PyBytes>()?)).collect::<PyResult<_>>()?;
        let Ok(touchpoints) =
            values.iter().map(|value| Owned::read_countable(value.as_bytes())).collect::<Result<Vec<_>, _>>()
        else {
            return Ok(false);
        };
        self.folded.advance_all(&touchpoints, &self.tables.meant.rules);
        Ok(true)
    }

    /// The encoded journey state with its hash.
    fn sealed<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        profile_id: &str,
        version: i64,
        late: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if self.folded.facts.touchpoints == 0 {
            return Err(PyValueError::new_err("a journey without touchpoints has no state"));
        }
        let sealed = self.folded.sealed(tenant, profile_id, version, late, &self.tables.meant.rules);
        Ok(PyBytes::new(py, &sealed))
    }

    #[getter]
    fn account_id(&self) -> Option<&str> {
        self.folded.account_id()
    }

    /// Every signal that holds at `now`, sorted by time, kind and id.
    fn signals<'py>(&mut self, py: Python<'py>, now: i64) -> PyResult<Bound<'py, PyList>> {
        let found = PyList::empty(py);
        for signal in self.folded.signals(now, &self.tables.meant.rules) {
            found.append(self.tables.object(py, &signal)?)?;
        }
        Ok(found)
    }

    fn lets_go(&self, occurred_at: i64, kind: &str, subject_id: &str, event: &str) -> bool {
        self.folded.lets_go((occurred_at, kind, subject_id), event, &self.tables.meant.rules)
    }

    #[pyo3(signature = (now=None))]
    fn next_deadline(&self, now: Option<i64>) -> Option<i64> {
        self.folded.next_deadline(now, &self.tables.meant.rules)
    }
}

impl Tables {
    /// Python's object of a signal, made once.
    pub fn object(&self, py: Python<'_>, signal: &Signal) -> PyResult<Py<PyAny>> {
        if let Some(object) = signal.object.get() {
            return Ok(object.clone_ref(py));
        }
        let details = PyDict::new(py);
        for (name, value) in &signal.details {
            details.set_item(name, value)?;
        }
        let event_ids = PyTuple::new(py, &signal.event_ids)?;
        let rule = words(&self.meant.rules, &signal.kind);
        let object = self.signal.call1(
            py,
            (&*signal.kind, &signal.subject_id, signal.occurred_at, rule, event_ids, details, &*signal.event),
        )?;
        Ok(signal.object.get_or_init(|| object).clone_ref(py))
    }
}
