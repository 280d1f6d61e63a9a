//! Which touchpoints are copies of one event: `schemas/touchpoint/events.py`.

use std::sync::Arc;

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

use crate::profile_id::push_hex;
use crate::touchpoint::Touchpoint;

/// An event_key: event id and source of a touchpoint, shared by all that names the touchpoint.
pub type Event = Arc<str>;

const SEPARATOR: char = '\0';
const MAX_SOURCE_BYTES: usize = 15;

pub fn event_key(touchpoint: &Touchpoint) -> Event {
    let mut key = String::with_capacity(touchpoint.event_id.len() + 1 + 16);
    key.push_str(touchpoint.event_id);
    key.push(SEPARATOR);
    if touchpoint.source.len() <= MAX_SOURCE_BYTES {
        key.push_str(touchpoint.source);
    } else {
        for byte in Blake2b::<U8>::digest(touchpoint.source.as_bytes()) {
            push_hex(&mut key, byte);
        }
    }
    key.into()
}

/// The event id in a key, or in what has no source behind it any more.
pub fn event_id_of(key: &str) -> &str {
    key.split_once(SEPARATOR).map_or(key, |(event_id, _)| event_id)
}
