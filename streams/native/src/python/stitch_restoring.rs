//! Recovery of stitch: changelog records become assignments and evidence (`StitchState.restore`).

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList};

use crate::assignment::{Assignment, Link};
use crate::profile_id::{uuid5_text, PROFILES};
use crate::python::records::key_and_value;
use crate::stitch::check::is_uuid;

/// Restores changelog records from `start` on into the dicts of a StitchState. Returns the place of the first that Python
/// must restore.
#[pyfunction]
pub fn restore_stitch(
    records: &Bound<'_, PyList>,
    start: usize,
    assignments: &Bound<'_, PyDict>,
    evidence: &Bound<'_, PyDict>,
) -> PyResult<usize> {
    for (at, record) in records.iter().enumerate().skip(start) {
        let Some((key, value)) = key_and_value(&record)? else { return Ok(at) };
        let restored = match key.as_bytes().first() {
            Some(b'~') => restore_link(&key, value.as_bytes(), evidence)?,
            _ => restore_assignment(&key, value.as_bytes(), assignments)?,
        };
        if !restored {
            return Ok(at);
        }
    }
    Ok(records.len().max(start))
}

/// Notes when evidence was sent first. Returns whether it is covered.
fn restore_link(key: &Bound<'_, PyBytes>, value: &[u8], evidence: &Bound<'_, PyDict>) -> PyResult<bool> {
    let Ok(Link { occurred_at: sent, .. }) = Link::read_record(value) else { return Ok(false) };
    let known: Option<i64> = evidence.get_item(key)?.map(|known| known.extract()).transpose()?;
    if known.is_none_or(|known| sent < known) {
        evidence.set_item(key, sent)?;
    }
    Ok(true)
}

/// Restores an assignment in its compact form, if it is the newest. Returns whether it is covered.
fn restore_assignment(
    key: &Bound<'_, PyBytes>,
    value: &[u8],
    assignments: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    let Ok(assignment) = Assignment::read_record(value) else { return Ok(false) };
    Ok(is_uuid(assignment.profile_id) && keep(key, &assignment, assignments)?.is_some())
}

/// Keeps an assignment to a UUID in its compact form, if it is the newest. Returns whether it is; None if only Python can
/// say.
pub fn keep(
    key: &Bound<'_, PyBytes>,
    assignment: &Assignment,
    assignments: &Bound<'_, PyDict>,
) -> PyResult<Option<bool>> {
    let (profile_id, version) = (assignment.profile_id, assignment.version);
    if let Some(known) = assignments.get_item(key)? {
        let Some(known) = version_of(&known)? else { return Ok(None) };
        if known >= version {
            return Ok(Some(false));
        }
    }
    let (kind, name) = assignment.node;
    if uuid5_text(&PROFILES, &[assignment.tenant, "\x1f", kind, "\x1f", name]) == profile_id {
        assignments.set_item(key, version)?;
        return Ok(Some(true));
    }
    let mut packed = version.to_be_bytes().to_vec();
    let digits: Vec<u8> = profile_id.bytes().filter(|byte| *byte != b'-').map(digit).collect();
    packed.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    assignments.set_item(key, PyBytes::new(key.py(), &packed))?;
    Ok(Some(true))
}

/// The version of a compact assignment; None of one that Python keeps whole (`compact_assignment.py`).
fn version_of(assignment: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    if let Ok(version) = assignment.downcast::<PyInt>() {
        return Ok(Some(version.extract()?));
    }
    let packed = assignment.downcast::<PyBytes>().ok();
    Ok(packed.and_then(|packed| packed.as_bytes().first_chunk().copied()).map(i64::from_be_bytes))
}

/// The value of a lower-case hexadecimal digit.
fn digit(byte: u8) -> u8 {
    if byte.is_ascii_digit() {
        byte - b'0'
    } else {
        byte - b'a' + 10
    }
}
