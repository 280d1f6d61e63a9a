//! Batches that the publisher sends.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::batches::build::{Batch, Outgoing, ProducerState, NO_PRODUCER};

/// A batch under construction, of records as an Outbox has them: tuples of key, value and headers.
#[pyclass(module = "touchline_native")]
pub struct BatchBuilder {
    batch: Batch,
    producer: ProducerState,
}

type Headers<'py> = Vec<(Bound<'py, PyString>, Option<PyBackedBytes>)>;

#[pymethods]
impl BatchBuilder {
    /// It takes records until it has `limit` bytes.
    #[new]
    fn new(limit: usize) -> Self {
        BatchBuilder { batch: Batch::new(limit), producer: NO_PRODUCER }
    }

    /// Takes records from `start` on, as many as there is room for, all with this time (UTC ms). Returns the place of
    /// the first that it did not take. The first record of a batch always fits.
    fn extend(&mut self, records: &Bound<'_, PyList>, start: usize, now: i64) -> PyResult<usize> {
        for place in start..records.len() {
            let record = records.get_item(place)?;
            if !self.append(record.downcast::<PyTuple>()?, now)? {
                return Ok(place);
            }
        }
        Ok(records.len().max(start))
    }

    /// Sets what the broker knows repetitions by.
    fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        self.producer = ProducerState { id, epoch, base_sequence };
    }

    /// The whole batch, with its checksum.
    fn seal<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.batch.seal(self.producer))
    }

    /// Bytes so far.
    #[getter]
    fn size(&self) -> usize {
        self.batch.size()
    }

    /// Records so far.
    #[getter]
    fn records(&self) -> i32 {
        self.batch.records()
    }
}

impl BatchBuilder {
    fn append(&mut self, record: &Bound<'_, PyTuple>, now: i64) -> PyResult<bool> {
        let (key, value, headers) = (record.get_item(0)?, record.get_item(1)?, record.get_item(2)?);
        let key: Option<PyBackedBytes> = key.extract()?;
        let value: Option<PyBackedBytes> = value.extract()?;
        let headers: Option<Headers> = headers.extract()?;
        let headers = headers.unwrap_or_default();
        let mut pairs = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            pairs.push((name.to_str()?.as_bytes(), value.as_deref()));
        }
        let record = Outgoing { key: key.as_deref(), value: value.as_deref(), headers: &pairs };
        Ok(self.batch.append(&record, now))
    }
}
