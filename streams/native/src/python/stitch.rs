//! Stitch: a fetch of touchpoints in one call (`streams/stitch/native_stitch.py`).

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyTuple};

use crate::assignment::IDENTITY_LINK;
use crate::encoding::{put_long, put_text, HEADER_BYTES, UNWALKED_BYTES};
use crate::keys::partition_of;
use crate::profile_id::{push_hex, uuid5_text, PROFILES};
use crate::stitch::check::is_valid;
use crate::stitch::prepared::Prepared;
use crate::touchpoint::{Link, Owned, Touchpoint, RESOLVED_TOUCHPOINT, TOUCHPOINT};

/// Kafka's message.timestamp.type of a record that the broker stamped.
const LOG_APPEND_TIME: i64 = 1;
/// Version of a touchpoint that was stitched while no assignment of its identifier was known.
const NO_VERSION: i64 = -1;

/// A touchpoint on its home partition, the record that takes it to its owner, and the evidence that it brings.
#[pyclass(frozen, get_all, module = "touchline_native")]
pub struct Stitched {
    /// Of its strongest identifier.
    key: Py<PyBytes>,
    /// Of the topic journey-inputs.
    partition: u32,
    /// The key of its owner, the ResolvedTouchpoint, no headers.
    record: Py<PyTuple>,
    /// What its strongest identifier was assigned to; None if it was not.
    assignment: Option<Py<PyAny>>,
    /// None without new evidence; else its event time, and of each link the changelog key and the record.
    links: Option<Py<PyTuple>>,
}

#[pymethods]
impl Stitched {
    /// Tenant, type and value of the strongest identifier, event time, and the record as it came.
    fn about<'py>(&self, py: Python<'py>) -> PyResult<About<'py>> {
        let value = self.record.bind(py).get_item(1)?.downcast_into::<PyBytes>()?;
        let value = value.as_bytes();
        let Ok(owned) = Owned::read(value) else {
            return Err(PyValueError::new_err("a stitched touchpoint cannot be read"));
        };
        let record = [b"\xc3\x01", &TOUCHPOINT[..], &value[owned.touchpoint_at..]].concat();
        let (tenant, (kind, name)) = (owned.touchpoint.tenant.to_owned(), owned.owner);
        let at = owned.touchpoint.occurred_at;
        Ok((tenant, kind.to_owned(), name.to_owned(), at, PyBytes::new(py, &record)))
    }
}

type About<'py> = (String, String, String, i64, Bound<'py, PyBytes>);

/// What a partition of stitch knows.
struct Known<'a, 'py> {
    assignments: &'a Bound<'py, PyDict>,
    evidence: &'a Bound<'py, PyDict>,
    partition: u32,
    touchpoint_partitions: u32,
    input_partitions: u32,
}

/// Stitches the touchpoints of a fetch.
#[pyclass(module = "touchline_native")]
pub struct Stitch(Prepared);

#[pymethods]
impl Stitch {
    /// `priority`, `means` and `named` answer as `stitch/prepared.rs` says.
    #[new]
    fn new(priority: Py<PyAny>, means: Py<PyAny>, named: Py<PyAny>) -> Self {
        Stitch(Prepared::new(priority, means, named))
    }

    /// For each record a Stitched; None if Python must take it. Changes nothing.
    ///
    /// `now` is the clock's time, UTC ms: the latest possible reception of what the broker has not stamped. `assignments` and `evidence` are those of a StitchState.
    #[expect(clippy::too_many_arguments)]
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        now: i64,
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
        for record in records {
            let stamped = record.getattr(intern!(py, "timestamp_type"))?.extract::<Option<i64>>()?;
            let arrival = match stamped {
                Some(LOG_APPEND_TIME) => record.getattr(intern!(py, "timestamp"))?.extract()?,
                _ => now,
            };
            let one = match record.getattr(intern!(py, "value"))?.downcast::<PyBytes>() {
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
        let assignment = known.assignments.get_item(&key)?;
        let Some((profile_id, version)) = owner(assignment.as_ref(), &touchpoint)? else {
            return Ok(None);
        };
        let links = new_links(py, &touchpoint, known.evidence)?;
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
            record: (PyBytes::new(py, profile_key.as_bytes()), PyBytes::new(py, &resolved), py.None())
                .into_pyobject(py)?
                .unbind(),
            assignment: assignment.map(Bound::unbind),
            links,
        }))
    }
}

/// Profile and version by the compact assignment of the strongest identifier (`compact_assignment.py`).
///
/// None if Python must say: a contested identifier, or a correction.
fn owner(assignment: Option<&Bound<'_, PyAny>>, touchpoint: &Touchpoint) -> PyResult<Option<(String, i64)>> {
    let (kind, name) = touchpoint.identifiers[0];
    let own = || uuid5_text(&PROFILES, &[touchpoint.tenant, "\x1f", kind, "\x1f", name]);
    let Some(assignment) = assignment else {
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

/// The links of the touchpoint that were never sent, or only with a later event time (`stitching.py`, `learn`).
fn new_links(
    py: Python<'_>,
    touchpoint: &Touchpoint,
    evidence: &Bound<'_, PyDict>,
) -> PyResult<Option<Py<PyTuple>>> {
    let mut found = Vec::new();
    let strongest = touchpoint.identifiers[0];
    let link = match touchpoint.link {
        Link::Observed => "OBSERVED",
        Link::Asserted => "ASSERTED",
    };
    for other in &touchpoint.identifiers[1..] {
        let (left, right) = if strongest <= *other { (strongest, *other) } else { (*other, strongest) };
        let parts = [left.0, left.1, right.0, right.1, link].join("\x1f");
        let key = PyBytes::new(py, format!("~{}\x1f{parts}", touchpoint.tenant).as_bytes());
        let sent: Option<i64> = evidence.get_item(&key)?.map(|sent| sent.extract()).transpose()?;
        if sent.is_none_or(|sent| sent > touchpoint.occurred_at) {
            found.push((key, PyBytes::new(py, &encoded_link(touchpoint, left, right))));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    Ok(Some((touchpoint.occurred_at, found).into_pyobject(py)?.unbind()))
}

/// An IdentityLink.
fn encoded_link(touchpoint: &Touchpoint, left: (&str, &str), right: (&str, &str)) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(b"\xc3\x01");
    out.extend_from_slice(&IDENTITY_LINK);
    for text in [touchpoint.tenant, left.0, left.1, right.0, right.1] {
        put_text(&mut out, text);
    }
    put_long(&mut out, touchpoint.occurred_at);
    put_long(&mut out, touchpoint.link as i64);
    put_text(&mut out, touchpoint.event_id);
    put_text(&mut out, touchpoint.source);
    out
}
