//! Stitch: a fetch of touchpoints in one call (`streams/stitch/native_stitch.py`).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList};

use crate::encoding::{put_long, put_text, HEADER_BYTES};
use crate::keys::partition_of;
use crate::profile_id::{push_hex, uuid5_text, PROFILES};
use crate::stitch::check::is_valid;
use crate::stitch::prepared::Prepared;
use crate::touchpoint::{Link, Touchpoint, RESOLVED_TOUCHPOINT};

/// Above so many bytes Python counts the items of a record before it reads it (`codec.UNWALKED_BYTES`).
const UNWALKED_BYTES: usize = 4096;
/// Version of a touchpoint that was stitched while no assignment of its identifier was known.
const NO_VERSION: i64 = -1;

/// A touchpoint on its home partition that brings nothing new, and the record that takes it to its owner.
#[pyclass(frozen, get_all, module = "touchline_native")]
pub struct Stitched {
    /// Of its strongest identifier.
    key: Py<PyBytes>,
    /// Of the topic journey-inputs.
    partition: u32,
    profile_key: Py<PyBytes>,
    value: Py<PyBytes>,
}

/// What a partition of stitch knows.
struct Known<'a, 'py> {
    assignments: &'a Bound<'py, PyDict>,
    evidence: &'a Bound<'py, PyDict>,
    partition: u32,
    touchpoint_partitions: u32,
    input_partitions: u32,
}

/// Stitches the touchpoints of a fetch, as far as they bring nothing new.
#[pyclass(module = "touchline_native")]
pub struct Stitch(Prepared);

#[pymethods]
impl Stitch {
    /// `priority`, `means` and `named` answer as `stitch/prepared.rs` says.
    #[new]
    fn new(priority: Py<PyAny>, means: Py<PyAny>, named: Py<PyAny>) -> Self {
        Stitch(Prepared::new(priority, means, named))
    }

    /// For each value a Stitched; None if Python must take it. Changes nothing.
    ///
    /// `arrivals` are the latest possible receptions, UTC ms. `assignments` and `evidence` are those of a StitchState.
    #[expect(clippy::too_many_arguments)]
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        values: &Bound<'py, PyList>,
        arrivals: Vec<i64>,
        assignments: &Bound<'py, PyDict>,
        evidence: &Bound<'py, PyDict>,
        partition: u32,
        touchpoint_partitions: u32,
        input_partitions: u32,
    ) -> PyResult<Bound<'py, PyList>> {
        if touchpoint_partitions == 0 || input_partitions == 0 {
            return Err(PyValueError::new_err("a topic has at least one partition"));
        }
        let known = Known { assignments, evidence, partition, touchpoint_partitions, input_partitions };
        let taken = PyList::empty(py);
        for (value, arrival) in values.iter().zip(arrivals) {
            let one = match value.downcast::<PyBytes>() {
                Ok(value) => self.stitched(py, value.as_bytes(), arrival, &known)?,
                Err(_) => None,
            };
            taken.append(one)?;
        }
        Ok(taken)
    }
}

impl Stitch {
    fn stitched(
        &mut self,
        py: Python<'_>,
        value: &[u8],
        arrival: i64,
        known: &Known,
    ) -> PyResult<Option<Stitched>> {
        if value.len() > UNWALKED_BYTES {
            return Ok(None);
        }
        let Ok(touchpoint) = Touchpoint::read_record(value) else {
            return Ok(None);
        };
        if touchpoint.received_at > arrival
            || !is_valid(&touchpoint)
            || !self.0.is_prepared(py, &touchpoint)?
        {
            return Ok(None);
        }
        let (kind, name) = touchpoint.identifiers[0];
        let key = format!("{}/{kind}:{name}", touchpoint.tenant);
        if partition_of(key.as_bytes(), known.touchpoint_partitions) != known.partition {
            return Ok(None);
        }
        let key = PyBytes::new(py, key.as_bytes());
        let Some((profile_id, version)) = owner(known.assignments, &key, &touchpoint)? else {
            return Ok(None);
        };
        if !is_known(py, &touchpoint, known.evidence)? {
            return Ok(None);
        }
        let profile_key = format!("{}/{profile_id}", touchpoint.tenant);
        let mut resolved = Vec::with_capacity(value.len() + 128);
        resolved.extend_from_slice(b"\xc3\x01");
        resolved.extend_from_slice(&RESOLVED_TOUCHPOINT);
        for text in [kind, name, &profile_id] {
            put_text(&mut resolved, text);
        }
        put_long(&mut resolved, version);
        resolved.extend_from_slice(&value[HEADER_BYTES..]);
        Ok(Some(Stitched {
            key: key.unbind(),
            partition: partition_of(profile_key.as_bytes(), known.input_partitions),
            profile_key: PyBytes::new(py, profile_key.as_bytes()).unbind(),
            value: PyBytes::new(py, &resolved).unbind(),
        }))
    }
}

/// Profile and version by the compact assignment of the strongest identifier (`compact_assignment.py`).
///
/// None if Python must say: a contested identifier, or a correction.
fn owner(
    assignments: &Bound<'_, PyDict>,
    key: &Bound<'_, PyBytes>,
    touchpoint: &Touchpoint,
) -> PyResult<Option<(String, i64)>> {
    let (kind, name) = touchpoint.identifiers[0];
    let own = || uuid5_text(&PROFILES, &[touchpoint.tenant, "\x1f", kind, "\x1f", name]);
    let Some(assignment) = assignments.get_item(key)? else {
        return Ok(Some((own(), NO_VERSION)));
    };
    if let Ok(version) = assignment.downcast::<PyInt>() {
        return Ok(Some((own(), version.extract()?)));
    }
    let Ok(packed) = assignment.downcast::<PyBytes>() else {
        return Ok(None);
    };
    let Some((version, profile)) = packed.as_bytes().split_first_chunk::<8>() else {
        return Ok(None);
    };
    let mut profile_id = String::with_capacity(36);
    for (index, byte) in profile.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            profile_id.push('-');
        }
        push_hex(&mut profile_id, *byte);
    }
    Ok(Some((profile_id, i64::from_be_bytes(*version))))
}

/// Whether every link of the touchpoint was sent with an event time no later than its own (`stitching.py`, `learn`).
fn is_known(py: Python<'_>, touchpoint: &Touchpoint, evidence: &Bound<'_, PyDict>) -> PyResult<bool> {
    let strongest = touchpoint.identifiers[0];
    let link = match touchpoint.link {
        Link::Observed => "OBSERVED",
        Link::Asserted => "ASSERTED",
    };
    for other in &touchpoint.identifiers[1..] {
        let (left, right) = if strongest <= *other { (strongest, *other) } else { (*other, strongest) };
        let parts = [left.0, left.1, right.0, right.1, link].join("\x1f");
        let key = format!("~{}\x1f{parts}", touchpoint.tenant);
        let sent = evidence.get_item(PyBytes::new(py, key.as_bytes()))?;
        let Some(sent) = sent else {
            return Ok(false);
        };
        if sent.extract::<i64>()? > touchpoint.occurred_at {
            return Ok(false);
        }
    }
    Ok(true)
}
