//! Assignments that identity has published, as stitch learns them (`streams/stitch/learning.py`).

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::assignment::Assignment;
use crate::encoding::UNWALKED_BYTES;
use crate::python::records::{is_at_home, key_and_value};
use crate::python::stitch_restoring::keep;
use crate::stitch::check::{is_identifier, is_name, is_uuid, EARLIEST_MS, LATEST_MS};

/// Learns assignments from `start` on into the dict of a StitchState. Returns the place of the first that Python must take
/// and the changelog records of those that are new.
///
/// `limit` gives the first version that cannot exist yet of a tenant's assignments, `partitions` is the number of
/// partitions of the topic.
#[pyfunction]
pub fn learn_assignments<'py>(
    py: Python<'py>,
    records: &Bound<'py, PyList>,
    start: usize,
    assignments: &Bound<'py, PyDict>,
    limit: &Bound<'py, PyAny>,
    partitions: u32,
) -> PyResult<(usize, Bound<'py, PyList>)> {
    let learnt = PyList::empty(py);
    let mut limits: Vec<(String, i64)> = Vec::new();
    for (at, record) in records.iter().enumerate().skip(start) {
        let Some((key, value)) = key_and_value(&record)? else { return Ok((at, learnt)) };
        let Some(assignment) = plain(key.as_bytes(), value.as_bytes()) else { return Ok((at, learnt)) };
        if !is_at_home(&record, key.as_bytes(), partitions)? {
            return Ok((at, learnt));
        }
        let first = match limits.iter().find(|(tenant, _)| tenant == assignment.tenant) {
            Some((_, first)) => *first,
            None => {
                let first = limit.call1((assignment.tenant,))?.extract()?;
                limits.push((assignment.tenant.to_owned(), first));
                first
            }
        };
        if assignment.version >= first {
            return Ok((at, learnt));
        }
        match keep(&key, &assignment, assignments)? {
            None => return Ok((at, learnt)),
            Some(false) => {}
            Some(true) => learnt.append((key, value, py.None()))?,
        }
    }
    Ok((records.len().max(start), learnt))
}

/// The assignment of a record that keeps the rules of `schemas/internal.py`, as far as they need no bounds.
fn plain<'a>(key: &[u8], value: &'a [u8]) -> Option<Assignment<'a>> {
    if value.len() > UNWALKED_BYTES {
        return None;
    }
    let assignment = Assignment::read_record(value).ok()?;
    let Assignment { tenant, node: (kind, name), profile_id, version, occurred_at, .. } = assignment;
    let valid = is_name(tenant)
        && is_identifier((kind, name))
        && is_uuid(profile_id)
        && version >= 0
        && (EARLIEST_MS..=LATEST_MS).contains(&occurred_at);
    let named = [tenant.as_bytes(), b"/", kind.as_bytes(), b":", name.as_bytes()].concat();
    (valid && named == key).then_some(assignment)
}
