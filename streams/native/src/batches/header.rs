//! The header of a batch, and where the batches of a fetch begin and end.

use super::record::Damage;

pub const HEADER_BYTES: usize = 61;
/// Base offset and length: the length counts what comes behind them.
pub const BEFORE_LENGTH_ENDS: usize = 12;
pub const MAGIC_AT: usize = 16;
pub const CRC_AT: usize = 17;
/// From here on the checksum counts.
pub const ATTRIBUTES_AT: usize = 21;
/// The smallest length that aiokafka takes for one of a batch.
const LEAST_LENGTH: i64 = 14;

const CODEC: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const CONTROL: i16 = 0x20;

/// What the header of a batch says. Producer and sequence are the broker's business.
#[derive(Clone, Copy)]
pub struct Header {
    pub base_offset: i64,
    attributes: i16,
    last_offset_delta: i32,
    first_timestamp: i64,
    max_timestamp: i64,
    pub records: i32,
}

impl Header {
    /// Reads the header of a whole batch.
    pub fn read(batch: &[u8]) -> Result<Self, Damage> {
        if batch.len() < HEADER_BYTES {
            return Err(Damage::CutOff { size: HEADER_BYTES, at: 0 });
        }
        Ok(Header {
            base_offset: i64::from_be_bytes(at(batch, 0)),
            attributes: i16::from_be_bytes(at(batch, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(at(batch, 23)),
            first_timestamp: i64::from_be_bytes(at(batch, 27)),
            max_timestamp: i64::from_be_bytes(at(batch, 35)),
            records: i32::from_be_bytes(at(batch, 57)),
        })
    }

    /// 0 for records that are not compressed.
    pub fn codec(&self) -> i16 {
        self.attributes & CODEC
    }

    /// Whether the broker stamped the records, all with the same time.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether it has no records of a producer, but marks the end of a transaction.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Of a record with this delta, UTC ms.
    pub fn timestamp(&self, delta: i64) -> i64 {
        if self.is_log_append_time() {
            self.max_timestamp
        } else {
            self.first_timestamp.wrapping_add(delta)
        }
    }

    /// The offset behind its last record, also if compaction has removed that.
    pub fn next_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta)).wrapping_add(1)
    }
}

/// Whether the checksum is that of the batch. Its header must be whole.
pub fn has_valid_crc(batch: &[u8]) -> bool {
    u32::from_be_bytes(at(batch, CRC_AT)) == crc32c::crc32c(&batch[ATTRIBUTES_AT..])
}

/// Where the batch at `from` ends; None if there is none, or only its beginning.
pub fn end_of_batch(data: &[u8], from: usize) -> Result<Option<usize>, Damage> {
    let Some(length) = length_at(data, from) else { return Ok(None) };
    if length < LEAST_LENGTH {
        return Err(Damage::SmallBatch { least: LEAST_LENGTH });
    }
    let end = from + BEFORE_LENGTH_ENDS + length as usize;
    Ok((end <= data.len()).then_some(end))
}

/// Whether all batches are of this format. Records of the formats before it stand by themselves.
pub fn is_current(data: &[u8]) -> bool {
    let mut from = 0;
    while let Ok(Some(end)) = end_of_batch(data, from) {
        if (data[from + MAGIC_AT] as i8) < 2 {
            return false;
        }
        from = end;
    }
    true
}

fn length_at(data: &[u8], from: usize) -> Option<i64> {
    let length = data.get(from..)?.get(8..BEFORE_LENGTH_ENDS)?;
    Some(i64::from(i32::from_be_bytes(length.try_into().ok()?)))
}

/// The bytes of a number that is there.
fn at<const N: usize>(batch: &[u8], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&batch[from..from + N]);
    bytes
}
