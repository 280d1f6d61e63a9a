//! Names of places and of profiles (`schemas/keys.py`, `schemas/profile_ids.py`).

use pyo3::exceptions::PyZeroDivisionError;
use pyo3::prelude::*;

use crate::{keys, profile_id};

/// The partition of a keyed record.
#[pyfunction]
pub fn partition_of(key: &[u8], partitions: u32) -> PyResult<u32> {
    if partitions == 0 {
        return Err(PyZeroDivisionError::new_err("a topic has at least one partition"));
    }
    Ok(keys::partition_of(key, partitions))
}

/// `str(uuid.uuid5(namespace, name))`.
#[pyfunction]
pub fn uuid5_text(namespace: [u8; 16], name: &str) -> String {
    profile_id::uuid5_text(&namespace, &[name])
}
