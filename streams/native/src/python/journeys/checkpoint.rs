//! All journeys of a partition as bytes, and back: the part of a checkpoint that the core writes
//! (`streams/journeys/checkpoints.py`). The bytes are of one build of the core: the file says which.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::{parts, Journeys, Packed};
use crate::encoding::{put_long, put_optional, Read, Reader, Uncovered};

impl Journeys {
    /// `Journeys.dump`.
    pub(super) fn dump_all<'py>(
        &self,
        py: Python<'py>,
        scheduled: &Bound<'py, PyDict>,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>)> {
        let (mut out, mut left) = (Vec::new(), Vec::new());
        let due = |key: &[u8]| -> PyResult<Option<i64>> {
            scheduled.get_item(PyBytes::new(py, key))?.map(|due| due.extract()).transpose()
        };
        for key in self.held.keys() {
            match self.pack(key, packer)? {
                Some(packed) => put_journey(&mut out, key, due(key)?, false, &packed),
                None => left.push(PyBytes::new(py, key)),
            }
        }
        for (key, packed) in &self.packed {
            put_journey(&mut out, key, due(key)?, packed.compressed, &packed.bytes);
        }
        Ok((PyBytes::new(py, &out), left))
    }

    /// `Journeys.load`.
    pub(super) fn load_all<'py>(
        &mut self,
        py: Python<'py>,
        dumped: &[u8],
    ) -> PyResult<Vec<(Bound<'py, PyBytes>, i64)>> {
        let mut deadlines = Vec::new();
        let mut reader = Reader::new(dumped, 0);
        while !reader.is_at_end() {
            let Ok((key, due, compressed, bytes)) = read_journey(&mut reader) else {
                return Err(PyValueError::new_err("a checkpoint's journeys cannot be read"));
            };
            parts(key)?;
            if let Some(due) = due {
                deadlines.push((PyBytes::new(py, key), due));
            }
            self.packed.insert(key.into(), Packed { bytes: bytes.into(), compressed, unsettled: true });
        }
        Ok(deadlines)
    }
}

fn put_journey(out: &mut Vec<u8>, key: &[u8], due: Option<i64>, compressed: bool, bytes: &[u8]) {
    put_long(out, key.len() as i64);
    out.extend_from_slice(key);
    put_optional(out, due, put_long);
    put_long(out, i64::from(compressed));
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// Key, deadline, whether it is compressed, and its bytes.
type Dumped<'a> = (&'a [u8], Option<i64>, bool, &'a [u8]);

fn read_journey<'a>(reader: &mut Reader<'a>) -> Read<Dumped<'a>> {
    let (key, due) = (reader.bytes()?, reader.optional(Reader::long)?);
    let compressed = match reader.long()? {
        0 => false,
        1 => true,
        _ => return Err(Uncovered),
    };
    Ok((key, due, compressed, reader.bytes()?))
}
