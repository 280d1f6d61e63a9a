//! Records that identity reads and writes: links (`schemas/internal.py`), and what a decision makes go out
//! (`streams/identity/outputs.py`).

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::assignment::{Link, IDENTITY_ASSIGNMENT, MOVE};
use crate::encoding::{put_items, put_long, put_optional, put_text, UNWALKED_BYTES};
use crate::keys::partition_of;
use crate::profile_id::{uuid5_text, PROFILES};
use crate::python::records::{identifier_dict, is_at_home, key_and_value};
use crate::stitch::check::{is_identifier, is_name, EARLIEST_MS, LATEST_MS};

/// CRC-64-AVRO of ProfileChanged.
pub const PROFILE_CHANGED: [u8; 8] = [0x1a, 0x6c, 0xd1, 0x7a, 0xcc, 0x6e, 0x7e, 0xba];
/// Namespace of the ids of changes.
const CHANGES: [u8; 16] =
    [0x5b, 0x7d, 0x2a, 0x53, 0x7c, 0x5e, 0x5d, 0x0b, 0x9d, 0x0f, 0x9b, 0x6f, 0x6f, 0x8f, 0x5d, 0x3c];

/// The IdentityLink in a record that keeps every rule; None if Python must read it. `partitions` is the number of
/// partitions of the topic.
#[pyfunction]
pub fn read_link<'py>(
    py: Python<'py>,
    record: &Bound<'py, PyAny>,
    partitions: u32,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some((key, value)) = key_and_value(record)? else { return Ok(None) };
    let Some(link) = plain(key.as_bytes(), value.as_bytes()) else { return Ok(None) };
    if !is_at_home(record, key.as_bytes(), partitions)? {
        return Ok(None);
    }
    let found = PyDict::new(py);
    found.set_item(intern!(py, "tenant"), link.tenant)?;
    found.set_item(intern!(py, "left"), identifier_dict(py, link.left)?)?;
    found.set_item(intern!(py, "right"), identifier_dict(py, link.right)?)?;
    found.set_item(intern!(py, "occurred_at"), link.occurred_at)?;
    let kind = if link.asserted { intern!(py, "ASSERTED") } else { intern!(py, "OBSERVED") };
    found.set_item(intern!(py, "kind"), kind)?;
    found.set_item(intern!(py, "event_id"), link.event_id)?;
    found.set_item(intern!(py, "source"), link.source)?;
    Ok(Some(found))
}

fn plain<'a>(key: &[u8], value: &'a [u8]) -> Option<Link<'a>> {
    if value.len() > UNWALKED_BYTES {
        return None;
    }
    let link = Link::read_record(value).ok()?;
    let valid = key == link.tenant.as_bytes()
        && is_name(link.tenant)
        && is_identifier(link.left)
        && is_identifier(link.right)
        && link.left < link.right
        && (EARLIEST_MS..=LATEST_MS).contains(&link.occurred_at);
    valid.then_some(link)
}

/// Profile, and since when another profile owns it (UTC ms), if it is contested.
type Assigned = (String, Option<i64>, Option<String>);
/// Survivor and those that it absorbed, or the profile that was split and those that appeared; the rule.
type Grouped = (String, Vec<String>, String);

/// The link that caused a decision: tenant, version, event id and event time (UTC ms).
#[derive(FromPyObject)]
pub struct Cause(String, i64, String, i64);

/// What a decision of a link makes go out: assignments, Moves and ProfileChanged. Each is a list of a partition and a record,
/// `partitions` are the numbers of partitions of their topics. No identifier has a mark, and no touchpoint of theirs is held.
#[pyfunction]
pub fn decision_records<'py>(
    py: Python<'py>,
    cause: Cause,
    changed: Vec<((String, String), Option<Assigned>, Assigned)>,
    merged: Vec<Grouped>,
    split: Vec<Grouped>,
    partitions: (u32, u32, u32),
) -> PyResult<[Bound<'py, PyList>; 3]> {
    if [partitions.0, partitions.1, partitions.2].contains(&0) {
        return Err(PyValueError::new_err("a topic has at least one partition"));
    }
    let lists = [(); 3].map(|()| PyList::empty(py));
    let put = |list: &Bound<'py, PyList>, partitions: u32, key: String, value: &[u8]| {
        let partition = partition_of(key.as_bytes(), partitions);
        list.append((partition, (PyBytes::new(py, key.as_bytes()), PyBytes::new(py, value), py.None())))
    };
    let Cause(tenant, version, ..) = &cause;
    for ((kind, name), before, after) in &changed {
        let datum = assignment(&cause, (kind, name), after);
        put(
            &lists[0],
            partitions.0,
            format!("{tenant}/{kind}:{name}"),
            &record(IDENTITY_ASSIGNMENT, &[&datum]),
        )?;
        let mut holders: Vec<String> = match before {
            None => vec![uuid5_text(&PROFILES, &[tenant, "\x1f", kind, "\x1f", name])],
            Some((profile, _, contested)) => [profile].into_iter().chain(contested).cloned().collect(),
        };
        holders.sort();
        holders.dedup();
        if holders == [after.0.as_str()] && after.1.is_none() {
            continue;
        }
        for holder in holders {
            let mut to = Vec::with_capacity(40);
            put_text(&mut to, &holder);
            put(&lists[1], partitions.1, format!("{tenant}/{holder}"), &record(MOVE, &[&to, &datum]))?;
        }
    }
    for (kind, groups) in [("MERGED", &merged), ("SPLIT", &split)] {
        for (profile, others, rule) in groups {
            let version = version.to_string();
            let mut named: Vec<&str> = vec![tenant, "\x1f", kind, "\x1f", profile];
            for other in others {
                named.extend(["\x1f", other]);
            }
            named.extend(["\x1f", version.as_str()]);
            let datum = change(&cause, kind, (profile, others, rule), &uuid5_text(&CHANGES, &named));
            put(&lists[2], partitions.2, format!("{tenant}/{profile}"), &record(PROFILE_CHANGED, &[&datum]))?;
        }
    }
    Ok(lists)
}

/// An IdentityAssignment without a header.
fn assignment(cause: &Cause, (kind, name): (&str, &str), after: &Assigned) -> Vec<u8> {
    let Cause(tenant, version, event_id, occurred_at) = cause;
    let mut out = Vec::with_capacity(192);
    for text in [tenant, kind, name, &after.0] {
        put_text(&mut out, text);
    }
    put_optional(&mut out, after.1, put_long);
    put_optional(&mut out, after.2.as_deref(), put_text);
    put_long(&mut out, *version);
    put_text(&mut out, event_id);
    put_long(&mut out, *occurred_at);
    out.push(0); // no correction
    out
}

/// A ProfileChanged without a header.
fn change(cause: &Cause, kind: &str, (profile, others, rule): (&str, &[String], &str), id: &str) -> Vec<u8> {
    let Cause(tenant, version, event_id, occurred_at) = cause;
    let mut out = Vec::with_capacity(256);
    put_text(&mut out, tenant);
    put_text(&mut out, id);
    put_long(&mut out, i64::from(kind == "SPLIT"));
    put_text(&mut out, profile);
    put_items(&mut out, others.iter(), |out, other| put_text(out, other));
    put_text(&mut out, rule);
    put_text(&mut out, event_id);
    put_long(&mut out, *occurred_at);
    put_long(&mut out, *version);
    out
}

fn record(schema: [u8; 8], parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"\xc3\x01");
    out.extend_from_slice(&schema);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
