//! One record of a batch: where its parts are.

use std::fmt;

use super::varint;

/// A part of a record in the bytes of its batch.
#[derive(Clone, Copy)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub fn of(self, data: &[u8]) -> &[u8] {
        &data[self.start as usize..self.end as usize]
    }

    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A record, without its bytes.
pub struct Parsed {
    pub timestamp_delta: i64,
    pub offset_delta: i64,
    pub key: Option<Span>,
    pub value: Option<Span>,
    /// With their number before them.
    pub headers: Span,
}

/// Why a batch cannot be read, in aiokafka's words.
#[derive(Debug, PartialEq)]
pub enum Damage {
    CutOff { size: usize, at: usize },
    LongInteger,
    SmallBatch { least: i64 },
    HeaderCount(i64),
    HeaderKey(i64),
    Size { said: i64, read: usize },
    Rest(usize),
    LargeBatch,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::CutOff { size, at } => write!(out, "Can't read {size} bytes from pos {at}"),
            Damage::LongInteger => write!(out, "Out of double range"),
            Damage::SmallBatch { least } => {
                write!(out, "Record size is less than the minimum record overhead ({least})")
            }
            Damage::HeaderCount(count) => write!(out, "Found invalid number of record headers {count}"),
            Damage::HeaderKey(size) => write!(out, "Invalid negative header key size {size}"),
            Damage::Size { said, read } => write!(
                out,
                "Invalid record size: expected to read {said} bytes in record payload, but instead read {read}"
            ),
            Damage::Rest(left) => write!(out, "{left} unconsumed bytes after all records consumed"),
            Damage::LargeBatch => write!(out, "a batch of 4 GiB and more"),
        }
    }
}

/// The record at `at`, which moves behind it. `data` are the records of a batch, decompressed: less than 4 GiB.
pub fn read(data: &[u8], at: &mut usize) -> Result<Parsed, Damage> {
    let length = varint::read(data, at)?;
    let start = *at;
    varint::read(data, at)?; // attributes, of which none is in use
    let timestamp_delta = varint::read(data, at)?;
    let offset_delta = varint::read(data, at)?;
    let key = part(data, at)?;
    let value = part(data, at)?;
    let headers_at = *at;
    let count = varint::read(data, at)?;
    if count < 0 {
        return Err(Damage::HeaderCount(count));
    }
    for _ in 0..count {
        let mut behind = *at;
        let size = varint::read(data, &mut behind)?;
        if part(data, at)?.is_none() {
            return Err(Damage::HeaderKey(size));
        }
        part(data, at)?;
    }
    if i64::try_from(*at - start) != Ok(length) {
        return Err(Damage::Size { said: length, read: *at - start });
    }
    let headers = Span { start: headers_at as u32, end: *at as u32 };
    Ok(Parsed { timestamp_delta, offset_delta, key, value, headers })
}

/// Name and value of a header.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// The headers in `headers`, the part of a record that was read.
pub fn headers(headers: &[u8]) -> Result<Vec<Header<'_>>, Damage> {
    let mut at = 0;
    let count = varint::read(headers, &mut at)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let name = part(headers, &mut at)?.map_or(&[][..], |name| name.of(headers));
        found.push((name, part(headers, &mut at)?.map(|value| value.of(headers))));
    }
    Ok(found)
}

/// A part with its size before it; None if the size is negative.
fn part(data: &[u8], at: &mut usize) -> Result<Option<Span>, Damage> {
    let size = varint::read(data, at)?;
    let Ok(size) = usize::try_from(size) else { return Ok(None) };
    let start = *at;
    if size > data.len() - start {
        return Err(Damage::CutOff { size, at: start });
    }
    *at += size;
    Ok(Some(Span { start: start as u32, end: *at as u32 }))
}
