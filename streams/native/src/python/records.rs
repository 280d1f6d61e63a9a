//! Records as Python has them: dicts with the fields of `schemas/records.py`, in the order of the schema.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::touchpoint::{Link, Owned, ScoreKind, Touchpoint};

/// Above so many bytes Python counts the items of a record before it reads it (`codec.UNWALKED_BYTES`).
const UNWALKED_BYTES: usize = 4096;

/// The name and the record of an encoded Touchpoint or ResolvedTouchpoint; None if Python must read it.
#[pyfunction]
pub fn read_record<'py>(py: Python<'py>, value: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
    if value.len() > UNWALKED_BYTES {
        return Ok(None);
    }
    let (name, record) = if let Ok(resolved) = Owned::read(value) {
        (intern!(py, "ResolvedTouchpoint"), resolved_dict(py, &resolved)?)
    } else if let Ok(touchpoint) = Touchpoint::read_record(value) {
        (intern!(py, "Touchpoint"), touchpoint_dict(py, &touchpoint)?)
    } else {
        return Ok(None);
    };
    Ok(Some((name, record).into_pyobject(py)?))
}

fn resolved_dict<'py>(py: Python<'py>, resolved: &Owned) -> PyResult<Bound<'py, PyDict>> {
    let record = PyDict::new(py);
    record.set_item(intern!(py, "identifier"), identifier_dict(py, resolved.owner)?)?;
    record.set_item(intern!(py, "profile_id"), resolved.profile_id)?;
    record.set_item(intern!(py, "version"), resolved.version)?;
    record.set_item(intern!(py, "touchpoint"), touchpoint_dict(py, &resolved.touchpoint)?)?;
    Ok(record)
}

fn touchpoint_dict<'py>(py: Python<'py>, touchpoint: &Touchpoint) -> PyResult<Bound<'py, PyDict>> {
    let record = PyDict::new(py);
    record.set_item(intern!(py, "tenant"), touchpoint.tenant)?;
    record.set_item(intern!(py, "event_id"), touchpoint.event_id)?;
    record.set_item(intern!(py, "occurred_at"), touchpoint.occurred_at)?;
    record.set_item(intern!(py, "received_at"), touchpoint.received_at)?;
    record.set_item(intern!(py, "source"), touchpoint.source)?;
    record.set_item(intern!(py, "channel"), touchpoint.channel)?;
    record.set_item(intern!(py, "type"), touchpoint.kind)?;
    let identifiers = PyList::empty(py);
    for identifier in &touchpoint.identifiers {
        identifiers.append(identifier_dict(py, *identifier)?)?;
    }
    record.set_item(intern!(py, "identifiers"), identifiers)?;
    record.set_item(intern!(py, "account_id"), touchpoint.account_id)?;
    record.set_item(intern!(py, "session_id"), touchpoint.session_id)?;
    record.set_item(intern!(py, "issue_id"), touchpoint.issue_id)?;
    record.set_item(intern!(py, "order_id"), touchpoint.order_id)?;
    record.set_item(intern!(py, "campaign"), touchpoint.campaign)?;
    record.set_item(intern!(py, "amount_minor"), touchpoint.amount_minor)?;
    record.set_item(intern!(py, "currency"), touchpoint.currency)?;
    record.set_item(intern!(py, "sentiment"), touchpoint.sentiment)?;
    let score = touchpoint.score.map(|score| {
        let answer = PyDict::new(py);
        answer.set_item(intern!(py, "kind"), score_kind(py, score.kind))?;
        answer.set_item(intern!(py, "value"), score.value)?;
        PyResult::Ok(answer)
    });
    record.set_item(intern!(py, "score"), score.transpose()?)?;
    let consent = PyDict::new(py);
    for (purpose, decision) in &touchpoint.consent {
        consent.set_item(purpose, decision.name())?;
    }
    record.set_item(intern!(py, "consent"), consent)?;
    record.set_item(intern!(py, "experiments"), dict(py, &touchpoint.experiments)?)?;
    let link = match touchpoint.link {
        Link::Observed => intern!(py, "OBSERVED"),
        Link::Asserted => intern!(py, "ASSERTED"),
    };
    record.set_item(intern!(py, "link"), link)?;
    record.set_item(intern!(py, "attributes"), dict(py, &touchpoint.attributes())?)?;
    Ok(record)
}

fn identifier_dict<'py>(py: Python<'py>, identifier: (&str, &str)) -> PyResult<Bound<'py, PyDict>> {
    let record = PyDict::new(py);
    record.set_item(intern!(py, "type"), identifier.0)?;
    record.set_item(intern!(py, "value"), identifier.1)?;
    Ok(record)
}

fn score_kind<'py>(py: Python<'py>, kind: ScoreKind) -> &'py Bound<'py, PyString> {
    match kind {
        ScoreKind::Nps => intern!(py, "NPS"),
        ScoreKind::Csat => intern!(py, "CSAT"),
        ScoreKind::Ces => intern!(py, "CES"),
    }
}

fn dict<'py>(py: Python<'py>, entries: &[(&str, &str)]) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, value) in entries {
        found.set_item(name, value)?;
    }
    Ok(found)
}
