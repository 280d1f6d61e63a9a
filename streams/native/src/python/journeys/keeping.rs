//! Which journeys stay as they are, and which are packed: those used least recently.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{parts, Held, Journeys, Packed};
use crate::packing::{pack, unpack};

impl Journeys {
    /// The keys of so many journeys that were used least recently and that no fetch touches.
    pub(super) fn oldest(&self, most: usize) -> Vec<Box<[u8]>> {
        let idle = self.held.iter().filter(|(_, held)| held.slot.is_none());
        let mut found: Vec<_> = idle.map(|(key, held)| (held.used, key)).collect();
        if most < found.len() {
            found.select_nth_unstable(most);
            found.truncate(most);
        }
        found.into_iter().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn pack(&self, key: &[u8], packer: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
        let (tenant, profile_id) = parts(key)?;
        let Some(held) = self.held.get(key) else { return Ok(None) };
        Ok(pack(&held.journey, tenant, profile_id, |record| {
            Some(encoded(record, packer).ok()?.as_bytes().to_vec())
        }))
    }

    /// Packs and compresses a journey that is in use, unless it must stay as it is.
    pub(super) fn put_away(&mut self, key: Box<[u8]>, packer: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(packed) = self.pack(&key, packer)? else { return Ok(()) };
        let compressed = packer.call_method1("compress", (PyBytes::new(packer.py(), &packed),))?;
        let bytes = compressed.downcast::<PyBytes>()?.as_bytes().into();
        let unsettled = self.held.remove(&key).is_some_and(|held| held.journey.timeline.unsettled);
        self.packed.insert(key, Packed { bytes, compressed: true, unsettled });
        Ok(())
    }

    /// Unpacks a journey, if it is packed. Returns whether it was.
    pub(super) fn unpack(&mut self, key: &[u8], packer: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Some(packed) = self.packed.remove(key) else { return Ok(false) };
        let (tenant, profile_id) = parts(key)?;
        let py = packer.py();
        let mut bytes = PyBytes::new(py, &packed.bytes);
        if packed.compressed {
            bytes = packer.call_method1("decompress", (bytes,))?.downcast_into()?;
        }
        let record = |encoded: &[u8]| PyBytes::new(py, encoded).into_any().unbind();
        let mut journey = unpack(bytes.as_bytes(), tenant, profile_id, record)
            .map_err(|_| PyValueError::new_err("a packed journey cannot be read"))?;
        if packed.unsettled {
            journey.restored();
        }
        self.held.insert(key.into(), Held { journey, slot: None, used: self.fetches });
        Ok(true)
    }
}

/// The record of an assignment, encoded.
pub(super) fn encoded<'py>(record: &Py<PyAny>, packer: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let record = record.bind(packer.py());
    match record.downcast::<PyBytes>() {
        Ok(encoded) => Ok(encoded.clone()), // as it came, or was unpacked
        Err(_) => Ok(packer.call_method1("encode", (record,))?.downcast_into()?),
    }
}
