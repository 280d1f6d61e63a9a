//! Records as Python has them: dicts with the fields of `schemas/records.py`, in the order of the schema.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::GILOnceCell;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::encoding::UNWALKED_BYTES;
use crate::keys::partition_of;
use crate::touchpoint::{Link, Owned, ScoreKind, Touchpoint};

/// The fields of a touchpoint, in the order of the schema.
const FIELDS: [&str; 21] = [
    "tenant",
    "event_id",
    "occurred_at",
    "received_at",
    "source",
    "channel",
    "type",
    "identifiers",
    "account_id",
    "session_id",
    "issue_id",
    "order_id",
    "campaign",
    "amount_minor",
    "currency",
    "sentiment",
    "score",
    "consent",
    "experiments",
    "link",
    "attributes",
];

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

/// Key and value of a consumed record; None if either is none, and Python must take the record.
pub type KeyAndValue<'py> = Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Key and value of a consumed record.
pub fn key_and_value<'py>(record: &Bound<'py, PyAny>) -> PyResult<KeyAndValue<'py>> {
    let py = record.py();
    let (key, value) = (record.getattr(intern!(py, "key"))?, record.getattr(intern!(py, "value"))?);
    Ok(key.downcast_into().ok().zip(value.downcast_into().ok()))
}

/// Whether a consumed record is on the partition of its key.
pub fn is_at_home(record: &Bound<'_, PyAny>, key: &[u8], partitions: u32) -> PyResult<bool> {
    let partition: u32 = record.getattr(intern!(record.py(), "partition"))?.extract()?;
    Ok(partitions > 0 && partition_of(key, partitions) == partition)
}

fn resolved_dict<'py>(py: Python<'py>, resolved: &Owned) -> PyResult<Bound<'py, PyDict>> {
    let record = PyDict::new(py);
    record.set_item(intern!(py, "identifier"), identifier_dict(py, resolved.owner)?)?;
    record.set_item(intern!(py, "profile_id"), resolved.profile_id)?;
    record.set_item(intern!(py, "version"), resolved.version)?;
    record.set_item(intern!(py, "touchpoint"), touchpoint_dict(py, &resolved.touchpoint)?)?;
    Ok(record)
}

/// A touchpoint with all its fields in the order of the schema, the optional ones without a value.
fn template(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    static TEMPLATE: GILOnceCell<Py<PyDict>> = GILOnceCell::new();
    let template = TEMPLATE.get_or_try_init(py, || {
        let record = PyDict::new(py);
        for name in FIELDS {
            record.set_item(name, py.None())?;
        }
        PyResult::Ok(record.unbind())
    })?;
    Ok(template.bind(py))
}

fn touchpoint_dict<'py>(py: Python<'py>, touchpoint: &Touchpoint) -> PyResult<Bound<'py, PyDict>> {
    // a copy has the room and the order of all fields
    let record = template(py)?.copy()?;
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
    set(&record, intern!(py, "account_id"), touchpoint.account_id)?;
    set(&record, intern!(py, "session_id"), touchpoint.session_id)?;
    set(&record, intern!(py, "issue_id"), touchpoint.issue_id)?;
    set(&record, intern!(py, "order_id"), touchpoint.order_id)?;
    set(&record, intern!(py, "campaign"), touchpoint.campaign)?;
    set(&record, intern!(py, "amount_minor"), touchpoint.amount_minor)?;
    set(&record, intern!(py, "currency"), touchpoint.currency)?;
    set(&record, intern!(py, "sentiment"), touchpoint.sentiment)?;
    if let Some(score) = touchpoint.score {
        let answer = PyDict::new(py);
        answer.set_item(intern!(py, "kind"), score_kind(py, score.kind))?;
        answer.set_item(intern!(py, "value"), score.value)?;
        record.set_item(intern!(py, "score"), answer)?;
    }
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

/// Sets an optional field that has a value.
fn set<'py>(
    record: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
    value: Option<impl IntoPyObject<'py>>,
) -> PyResult<()> {
    value.map_or(Ok(()), |value| record.set_item(name, value))
}

pub fn identifier_dict<'py>(py: Python<'py>, identifier: (&str, &str)) -> PyResult<Bound<'py, PyDict>> {
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
