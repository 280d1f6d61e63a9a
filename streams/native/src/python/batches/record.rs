//! A record that was read. It has the fields of aiokafka's ConsumerRecord, and makes them when they are asked for.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::GILOnceCell;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::batches::record::{headers, Span};

/// What the records of a batch have in common.
pub struct Source {
    pub topic: Py<PyString>,
    pub partition: i32,
    /// Kafka's message.timestamp.type: 1 if the broker stamped the records.
    pub timestamp_type: u8,
    /// What the parts of the records lie in: of a compressed batch, its records.
    pub bytes: Arc<PyBackedBytes>,
}

/// A record of a fetch. It keeps the bytes of the fetch.
#[pyclass(frozen, module = "touchline_native")]
pub struct Record {
    pub source: Arc<Source>,
    #[pyo3(get)]
    pub offset: i64,
    /// UTC ms.
    #[pyo3(get)]
    pub timestamp: i64,
    pub key_at: Option<Span>,
    pub value_at: Option<Span>,
    pub headers_at: Span,
    pub made_key: GILOnceCell<Py<PyBytes>>,
    pub made_value: GILOnceCell<Py<PyBytes>>,
}

#[pymethods]
impl Record {
    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.source.topic.bind(py)
    }

    #[getter]
    fn partition(&self) -> i32 {
        self.source.partition
    }

    #[getter]
    fn timestamp_type(&self) -> u8 {
        self.source.timestamp_type
    }

    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyBytes>> {
        self.part(py, self.key_at, &self.made_key)
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyBytes>> {
        self.part(py, self.value_at, &self.made_value)
    }

    /// A name that is not UTF-8 gets replacement characters: whoever may write a topic could stop its readers otherwise.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let found = headers(self.headers_at.of(&self.source.bytes)).unwrap_or_default();
        let pairs = found
            .into_iter()
            .map(|(name, value)| (String::from_utf8_lossy(name), value.map(|value| PyBytes::new(py, value))));
        PyTuple::new(py, pairs.collect::<Vec<_>>())
    }

    /// -1 of a record without a key.
    #[getter]
    fn serialized_key_size(&self) -> i64 {
        self.key_at.map_or(-1, |key| key.len() as i64)
    }

    /// -1 of a tombstone.
    #[getter]
    fn serialized_value_size(&self) -> i64 {
        self.value_at.map_or(-1, |value| value.len() as i64)
    }

    /// Records of this format have none of their own.
    #[getter]
    fn checksum(&self) -> Option<u32> {
        None
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let Source { topic, partition, .. } = &*self.source;
        format!("Record({topic}/{partition}/{} of {})", self.offset, self.timestamp, topic = topic.bind(py))
    }
}

impl Record {
    fn part<'a, 'py>(
        &'a self,
        py: Python<'py>,
        at: Option<Span>,
        made: &'a GILOnceCell<Py<PyBytes>>,
    ) -> Option<&'a Bound<'py, PyBytes>> {
        let at = at?;
        Some(made.get_or_init(py, || PyBytes::new(py, at.of(&self.source.bytes)).unbind()).bind(py))
    }
}

/// The bytes of the values of a list of records; None unless all of them are this module's.
#[pyfunction]
pub fn value_bytes(records: &Bound<'_, PyList>) -> Option<usize> {
    let mut size = 0;
    for record in records {
        size += record.downcast::<Record>().ok()?.get().value_at.map_or(0, Span::len);
    }
    Some(size)
}
