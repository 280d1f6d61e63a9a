//! A batch that is built record by record and sealed at the end, when its producer's sequence is known.

use super::header::{ATTRIBUTES_AT, BEFORE_LENGTH_ENDS, CRC_AT, HEADER_BYTES, MAGIC_AT};
use super::varint;

/// The partition leader's epoch, which the broker sets.
const NO_EPOCH: i32 = -1;
const MAGIC: u8 = 2;

/// A record to send: of each header the name and the value.
pub struct Outgoing<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Id, epoch and base sequence of an idempotent producer.
#[derive(Clone, Copy)]
pub struct ProducerState {
    pub id: i64,
    pub epoch: i16,
    pub base_sequence: i32,
}

/// What aiokafka writes for a producer that is not idempotent.
pub const NO_PRODUCER: ProducerState = ProducerState { id: -1, epoch: -1, base_sequence: 0 };

/// A batch under construction.
pub struct Batch {
    /// Room for the header, and the records.
    bytes: Vec<u8>,
    limit: usize,
    records: i32,
    first_timestamp: i64,
    max_timestamp: i64,
}

impl Batch {
    /// Takes records until it has `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Batch { bytes: vec![0; HEADER_BYTES], limit, records: 0, first_timestamp: -1, max_timestamp: -1 }
    }

    pub fn records(&self) -> i32 {
        self.records
    }

    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record of this time (UTC ms). Returns whether there was room: the first one always fits.
    pub fn append(&mut self, record: &Outgoing, timestamp: i64) -> bool {
        let first = if self.records == 0 { timestamp } else { self.first_timestamp };
        let (delta, offset) = (timestamp - first, i64::from(self.records));
        let size = 1 + varint::size(delta) + varint::size(offset) + size_of(record);
        if self.records > 0 && self.bytes.len() + size + varint::size(size as i64) >= self.limit {
            return false;
        }
        let out = &mut self.bytes;
        varint::put(out, size as i64);
        out.push(0); // attributes
        varint::put(out, delta);
        varint::put(out, offset);
        put_part(out, record.key);
        put_part(out, record.value);
        varint::put(out, record.headers.len() as i64);
        for (name, value) in record.headers {
            put_part(out, Some(name));
            put_part(out, *value);
        }
        self.records += 1;
        self.first_timestamp = first;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        true
    }

    /// The whole batch. The checksum counts the producer's state, so this is last.
    pub fn seal(&mut self, producer: ProducerState) -> &[u8] {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&0i64.to_be_bytes()); // base offset: the broker's
        header.extend_from_slice(&((self.bytes.len() - BEFORE_LENGTH_ENDS) as i32).to_be_bytes());
        header.extend_from_slice(&NO_EPOCH.to_be_bytes());
        debug_assert_eq!(header.len(), MAGIC_AT);
        header.push(MAGIC);
        header.extend_from_slice(&[0; 4]); // the checksum, below
        header.extend_from_slice(&0i16.to_be_bytes()); // attributes: not compressed, no transaction
        header.extend_from_slice(&(self.records - 1).max(0).to_be_bytes());
        header.extend_from_slice(&self.first_timestamp.to_be_bytes());
        header.extend_from_slice(&self.max_timestamp.to_be_bytes());
        header.extend_from_slice(&producer.id.to_be_bytes());
        header.extend_from_slice(&producer.epoch.to_be_bytes());
        header.extend_from_slice(&producer.base_sequence.to_be_bytes());
        header.extend_from_slice(&self.records.to_be_bytes());
        self.bytes[..HEADER_BYTES].copy_from_slice(&header);
        let crc = crc32c::crc32c(&self.bytes[ATTRIBUTES_AT..]);
        self.bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
        &self.bytes
    }
}

/// Of key, value and headers.
fn size_of(record: &Outgoing) -> usize {
    let named: usize =
        record.headers.iter().map(|(name, value)| size_of_part(Some(name)) + size_of_part(*value)).sum();
    size_of_part(record.key) + size_of_part(record.value) + varint::size(record.headers.len() as i64) + named
}

fn size_of_part(part: Option<&[u8]>) -> usize {
    part.map_or(1, |bytes| varint::size(bytes.len() as i64) + bytes.len())
}

fn put_part(out: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => varint::put(out, -1),
        Some(bytes) => {
            varint::put(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}
