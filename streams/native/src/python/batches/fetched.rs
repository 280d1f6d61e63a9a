//! The batches that the broker returned for a partition: aiokafka's `PartitionRecords`, a read in one call.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::GILOnceCell;
use pyo3::types::{PyBytes, PyList, PyString};

use super::record::{Record, Source};
use crate::batches::header::{end_of_batch, has_valid_crc, is_current, Header, HEADER_BYTES};
use crate::batches::record::{read, Damage};

/// Whether the first batch is there, or a length that says that the bytes are damaged.
#[pyfunction]
pub fn has_batch(data: &[u8]) -> bool {
    !matches!(end_of_batch(data, 0), Ok(None))
}

/// Whether all batches have format 2.
#[pyfunction]
pub fn is_current_format(data: &[u8]) -> bool {
    is_current(data)
}

/// Reads records, batch by batch. An error ends it, as it ends a generator.
#[pyclass(module = "touchline_native")]
pub struct FetchedBatches {
    topic: Py<PyString>,
    partition: i32,
    bytes: Arc<PyBackedBytes>,
    /// Of the next batch.
    at: usize,
    check_crcs: bool,
    decompress: Py<PyAny>,
    corrupt: Py<PyAny>,
    /// The offset behind what was read. Records before it are left out.
    #[pyo3(get)]
    next_fetch_offset: i64,
    current: Option<Current>,
    has_ended: bool,
}

/// The batch that is being read.
struct Current {
    source: Arc<Source>,
    header: Header,
    /// Of the next record.
    at: usize,
    /// Where the records end.
    end: usize,
    left: i32,
}

#[pymethods]
impl FetchedBatches {
    /// `decompress` is called with the number of a codec and a memoryview, and gives bytes. `corrupt` is called with a
    /// text, and gives the exception for batches that cannot be read.
    #[new]
    fn new(
        place: (Py<PyString>, i32),
        bytes: PyBackedBytes,
        fetch_offset: i64,
        check_crcs: bool,
        decompress: Py<PyAny>,
        corrupt: Py<PyAny>,
    ) -> Self {
        let (topic, partition) = place;
        FetchedBatches {
            topic,
            partition,
            bytes: bytes.into(),
            at: 0,
            check_crcs,
            decompress,
            corrupt,
            next_fetch_offset: fetch_offset,
            current: None,
            has_ended: false,
        }
    }

    /// The next records: at most so many, and none behind the one with which their values have `most_bytes`. Also
    /// whether it came to the end.
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        most_records: usize,
        most_bytes: usize,
    ) -> PyResult<(Bound<'py, PyList>, bool)> {
        let (found, mut size) = (PyList::empty(py), 0);
        while let Some(record) = self.next(py)? {
            size += record.value_at.map_or(0, |value| value.len());
            found.append(Bound::new(py, record)?)?;
            if size >= most_bytes || found.len() >= most_records {
                return Ok((found, false));
            }
        }
        Ok((found, true))
    }

    fn __iter__(fetched: PyRef<'_, Self>) -> PyRef<'_, Self> {
        fetched
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Record>> {
        self.next(py)
    }
}

impl FetchedBatches {
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<Record>> {
        if self.has_ended {
            return Ok(None);
        }
        let found = self.advance(py);
        self.has_ended = !matches!(found, Ok(Some(_)));
        found
    }

    fn advance(&mut self, py: Python<'_>) -> PyResult<Option<Record>> {
        loop {
            match self.next_of_batch() {
                Ok(Some(record)) => return Ok(Some(record)),
                Ok(None) => {}
                Err(damage) => return Err(self.error(py, &damage.to_string())?),
            }
            if !self.open_batch(py)? {
                return Ok(None);
            }
        }
    }

    /// The next record of the open batch, from the fetch offset on; None behind its last one.
    fn next_of_batch(&mut self) -> Result<Option<Record>, Damage> {
        let Some(batch) = &mut self.current else { return Ok(None) };
        let (source, header) = (&batch.source, &batch.header);
        while batch.left > 0 {
            let parsed = read(&source.bytes[..batch.end], &mut batch.at)?;
            batch.left -= 1;
            let offset = header.base_offset.wrapping_add(parsed.offset_delta);
            if offset < self.next_fetch_offset {
                continue;
            }
            self.next_fetch_offset = offset.wrapping_add(1);
            return Ok(Some(Record {
                source: source.clone(),
                offset,
                timestamp: header.timestamp(parsed.timestamp_delta),
                key_at: parsed.key,
                value_at: parsed.value,
                headers_at: parsed.headers,
                made_key: GILOnceCell::new(),
                made_value: GILOnceCell::new(),
            }));
        }
        if batch.at != batch.end {
            return Err(Damage::Rest(batch.end - batch.at));
        }
        self.next_fetch_offset = header.next_offset();
        self.current = None;
        Ok(None)
    }

    /// Opens the next batch with records of producers. Returns whether there is one; the last may be cut off.
    fn open_batch(&mut self, py: Python<'_>) -> PyResult<bool> {
        loop {
            let (start, header) = match self.next_header() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(false),
                Err(damage) => return Err(self.error(py, &damage.to_string())?),
            };
            if self.check_crcs && !has_valid_crc(&self.bytes[start..self.at]) {
                let (topic, partition) = (self.topic.bind(py).repr()?, self.partition);
                let place = format!("TopicPartition(topic={topic}, partition={partition})");
                return Err(self.error(py, &format!("Invalid CRC - {place}"))?);
            }
            if header.is_control() {
                self.next_fetch_offset = header.next_offset();
                continue;
            }
            self.current = Some(self.opened(py, start + HEADER_BYTES, header)?);
            return Ok(true);
        }
    }

    /// Where the next batch starts, and its header. Moves behind the batch.
    fn next_header(&mut self) -> Result<Option<(usize, Header)>, Damage> {
        let start = self.at;
        let Some(end) = end_of_batch(&self.bytes, start)? else { return Ok(None) };
        self.at = end;
        Ok(Some((start, Header::read(&self.bytes[start..end])?)))
    }

    /// The batch whose records start there, decompressed.
    fn opened(&self, py: Python<'_>, start: usize, header: Header) -> PyResult<Current> {
        let (bytes, at, end) = if header.codec() == 0 {
            (self.bytes.clone(), start, self.at)
        } else {
            let compressed = PyBytes::new(py, &self.bytes[start..self.at]);
            let bytes: PyBackedBytes =
                self.decompress.call1(py, (header.codec(), compressed))?.extract(py)?;
            let end = bytes.len();
            (Arc::new(bytes), 0, end)
        };
        if u32::try_from(end).is_err() {
            return Err(self.error(py, &Damage::LargeBatch.to_string())?);
        }
        let source = Source {
            topic: self.topic.clone_ref(py),
            partition: self.partition,
            timestamp_type: header.is_log_append_time().into(),
            bytes,
        };
        Ok(Current { source: source.into(), header, at, end, left: header.records })
    }

    fn error(&self, py: Python<'_>, why: &str) -> PyResult<PyErr> {
        Ok(PyErr::from_value(self.corrupt.bind(py).call1((why,))?))
    }
}
