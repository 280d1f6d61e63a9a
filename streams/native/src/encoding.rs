//! Avro's binary encoding, as `schemas/encoding/codec.py` reads and writes it.
//!
//! The reader takes only what a writer without frills writes: the shortest form of each number, arrays and maps in one
//! block without a size. Avro allows more; what the reader refuses goes the Python way, which decides.

/// The bytes are not what the reader covers. Python says whether they are wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Uncovered;

pub type Read<T> = Result<T, Uncovered>;

/// Above so many bytes Python counts the items of a record before it reads it (`codec.UNWALKED_BYTES`).
pub const UNWALKED_BYTES: usize = 4096;

/// Length of the marker and the fingerprint before every datum.
pub const HEADER_BYTES: usize = 10;

/// Reads a datum from its beginning on.
#[derive(Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Reader { data, at }
    }

    /// How many bytes are read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes that were read from a place on.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.data[start..self.at]
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.data.len()
    }

    pub fn long(&mut self) -> Read<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.data.get(self.at).ok_or(Uncovered)?;
            self.at += 1;
            let more_than_64_bits = shift == 63 && byte > 1;
            let not_the_shortest = shift > 0 && byte == 0;
            if more_than_64_bits || not_the_shortest {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Uncovered)
    }

    pub fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Uncovered)
    }

    pub fn bytes(&mut self) -> Read<&'a [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| Uncovered)?;
        let end = self.at.checked_add(length).ok_or(Uncovered)?;
        let raw = self.data.get(self.at..end).ok_or(Uncovered)?;
        self.at = end;
        Ok(raw)
    }

    pub fn double(&mut self) -> Read<f64> {
        let end = self.at.checked_add(8).ok_or(Uncovered)?;
        let raw = self.data.get(self.at..end).ok_or(Uncovered)?;
        self.at = end;
        raw.try_into().map(f64::from_le_bytes).map_err(|_| Uncovered)
    }

    /// The branch of a union with null: whether a value follows.
    pub fn has_value(&mut self) -> Read<bool> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Uncovered),
        }
    }

    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        Ok(if self.has_value()? { Some(read(self)?) } else { None })
    }

    /// The index of an enum's symbol, of so many.
    pub fn symbol(&mut self, symbols: u8) -> Read<u8> {
        match u8::try_from(self.long()?) {
            Ok(index) if index < symbols => Ok(index),
            _ => Err(Uncovered),
        }
    }

    /// The items of an array or a map, each read by `item`.
    pub fn items(&mut self, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        let count = self.long()?;
        for _ in 0..count {
            item(self)?;
        }
        match count {
            0 => Ok(()),
            1.. if self.long()? == 0 => Ok(()),
            _ => Err(Uncovered),
        }
    }
}

pub fn put_long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_long(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

pub fn put_double(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A union of null and a type: `put` writes the value, if there is one.
pub fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(2);
            put(out, value);
        }
    }
}

/// An array or a map in one block: `put` writes an item.
pub fn put_items<T>(
    out: &mut Vec<u8>,
    items: impl ExactSizeIterator<Item = T>,
    mut put: impl FnMut(&mut Vec<u8>, T),
) {
    if items.len() > 0 {
        put_long(out, items.len() as i64);
        items.for_each(|item| put(out, item));
    }
    out.push(0);
}
