//! Assignments, and the messages that tell a profile of them (`schemas/avro`): Moves and Transfers.
//!
//! Covered are assignments to one profile, without a correction: the owner depends on nothing then.

use crate::encoding::{put_items, put_text, Read, Reader, Uncovered};
use crate::touchpoint::{after_header, Touchpoint};

/// CRC-64-AVRO of the schemas that are read and written here.
pub const MOVE: [u8; 8] = [0x38, 0xb1, 0xc2, 0x0e, 0xf6, 0xb5, 0x68, 0xdf];
pub const TRANSFER: [u8; 8] = [0xad, 0xf6, 0xde, 0x33, 0x0d, 0x8e, 0xda, 0x66];
pub const IDENTITY_ASSIGNMENT: [u8; 8] = [0x8e, 0x93, 0x77, 0x67, 0x10, 0x94, 0xdb, 0x7f];

pub const IDENTITY_LINK: [u8; 8] = [0xc9, 0x28, 0x88, 0x3a, 0xe5, 0xde, 0xc7, 0x31];

/// Touchpoints of one Transfer (`effects.py`), and their bytes.
const TRANSFER_TOUCHPOINTS: usize = 256;
const TRANSFER_BYTES: usize = 512 * 1024;

pub struct Assignment<'a> {
    pub tenant: &'a str,
    pub node: (&'a str, &'a str),
    pub profile_id: &'a str,
    pub version: i64,
    pub occurred_at: i64,
    /// The encoded assignment without a header.
    pub datum: &'a [u8],
}

impl<'a> Assignment<'a> {
    /// Reads a whole IdentityAssignment.
    pub fn read_record(value: &'a [u8]) -> Read<Self> {
        let mut reader = after_header(value, IDENTITY_ASSIGNMENT)?;
        let assignment = Assignment::read(&mut reader)?;
        if reader.is_at_end() {
            Ok(assignment)
        } else {
            Err(Uncovered)
        }
    }

    fn read(reader: &mut Reader<'a>) -> Read<Self> {
        let start = reader.at();
        let (tenant, node, profile_id) = (reader.text()?, (reader.text()?, reader.text()?), reader.text()?);
        let contested = reader.has_value()? || reader.has_value()?;
        let version = if contested { return Err(Uncovered) } else { reader.long()? };
        reader.text()?; // of which event
        let occurred_at = reader.long()?;
        if reader.has_value()? {
            return Err(Uncovered); // a correction
        }
        Ok(Assignment { tenant, node, profile_id, version, occurred_at, datum: reader.since(start) })
    }
}

/// An IdentityLink.
pub struct Link<'a> {
    pub tenant: &'a str,
    pub left: (&'a str, &'a str),
    pub right: (&'a str, &'a str),
    pub occurred_at: i64,
    pub asserted: bool,
    pub event_id: &'a str,
    pub source: &'a str,
}

impl<'a> Link<'a> {
    /// Reads a whole IdentityLink.
    pub fn read_record(value: &'a [u8]) -> Read<Self> {
        let mut reader = after_header(value, IDENTITY_LINK)?;
        let tenant = reader.text()?;
        let (left, right) = ((reader.text()?, reader.text()?), (reader.text()?, reader.text()?));
        let occurred_at = reader.long()?;
        let asserted = reader.symbol(2)? == 1;
        let (event_id, source) = (reader.text()?, reader.text()?);
        if reader.is_at_end() {
            Ok(Link { tenant, left, right, occurred_at, asserted, event_id, source })
        } else {
            Err(Uncovered)
        }
    }
}

/// A message about an assignment: to `profile_id`, with the touchpoints that it brings.
pub struct Moved<'a> {
    pub profile_id: &'a str,
    pub from_profile_id: Option<&'a str>,
    pub assignment: Assignment<'a>,
    /// Each with its bytes.
    pub touchpoints: Vec<(Touchpoint<'a>, &'a [u8])>,
}

impl<'a> Moved<'a> {
    pub fn read(value: &'a [u8]) -> Read<Self> {
        let moved = Moved::read_move(value).or_else(|_| Moved::read_transfer(value))?;
        Ok(moved)
    }

    fn read_move(value: &'a [u8]) -> Read<Self> {
        let mut reader = after_header(value, MOVE)?;
        let profile_id = reader.text()?;
        let assignment = Assignment::read(&mut reader)?;
        let moved = Moved { profile_id, from_profile_id: None, assignment, touchpoints: Vec::new() };
        at_end(&reader, moved)
    }

    fn read_transfer(value: &'a [u8]) -> Read<Self> {
        let mut reader = after_header(value, TRANSFER)?;
        let (profile_id, from_profile_id) = (reader.text()?, Some(reader.text()?));
        let assignment = Assignment::read(&mut reader)?;
        let mut touchpoints = Vec::new();
        reader.items(|item| {
            let start = item.at();
            let touchpoint = Touchpoint::read(item)?;
            touchpoints.push((touchpoint, item.since(start)));
            Ok(())
        })?;
        if reader.has_value()? {
            return Err(Uncovered); // a summary
        }
        at_end(&reader, Moved { profile_id, from_profile_id, assignment, touchpoints })
    }
}

fn at_end<'a>(reader: &Reader, moved: Moved<'a>) -> Read<Moved<'a>> {
    if reader.is_at_end() {
        Ok(moved)
    } else {
        Err(Uncovered)
    }
}

/// Cuts touchpoints that leave into Transfers that fit a record (`cut_into_transfers`).
///
/// `leaving` has the length of each ResolvedTouchpoint, and its touchpoint; `datum` is the assignment's.
pub fn transfers(owner: &str, from: &str, datum: &[u8], leaving: &[(usize, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<&[u8]>> = Vec::new();
    let mut size = TRANSFER_BYTES;
    for (length, touchpoint) in leaving {
        size += length;
        match parts.last_mut() {
            Some(part) if size <= TRANSFER_BYTES && part.len() < TRANSFER_TOUCHPOINTS => {
                part.push(touchpoint)
            }
            _ => {
                parts.push(vec![touchpoint]);
                size = *length;
            }
        }
    }
    let encoded = |part: Vec<&[u8]>| {
        let mut out = Vec::with_capacity(datum.len() + 1024);
        out.extend_from_slice(b"\xc3\x01");
        out.extend_from_slice(&TRANSFER);
        put_text(&mut out, owner);
        put_text(&mut out, from);
        out.extend_from_slice(datum);
        put_items(&mut out, part.iter(), |out, touchpoint| out.extend_from_slice(touchpoint));
        out.push(0); // no summary
        out
    };
    parts.into_iter().map(encoded).collect()
}
