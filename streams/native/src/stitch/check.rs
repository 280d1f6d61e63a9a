//! Whether a touchpoint keeps every rule of the contract: `schemas/touchpoint/rules.py`, on the safe side.
//!
//! Python judges those that are refused here, and says why. So a rule may be stricter here than it is there.

use crate::touchpoint::{ScoreKind, Touchpoint};

const MAX_IDENTIFIERS: usize = 32;
const MAX_IDENTIFIER_BYTES: usize = 200;
const MAX_ATTRIBUTES: usize = 128;
const MAX_CHANNEL_BYTES: usize = 64;
const MAX_NAME_BYTES: usize = 128;
const MAX_ID_BYTES: usize = 200;
const MAX_VALUE_BYTES: usize = 8192;
const SECONDS_FROM: i64 = 631_152_000;
const SECONDS_UNTIL: i64 = 4_102_444_800;
const MAX_AMOUNT_MINOR: i64 = 10_000_000_000_000_000;
pub const EARLIEST_MS: i64 = -2_208_988_800_000;
pub const LATEST_MS: i64 = 9_214_646_400_000;

pub fn is_valid(touchpoint: &Touchpoint) -> bool {
    has_identifiers(touchpoint)
        && is_name(touchpoint.tenant)
        && is_visible(touchpoint.event_id, MAX_ID_BYTES)
        && is_visible(touchpoint.kind, MAX_NAME_BYTES)
        && is_visible(touchpoint.source, MAX_NAME_BYTES)
        && is_visible(touchpoint.channel, MAX_CHANNEL_BYTES)
        && has_times(touchpoint)
        && has_entries(touchpoint)
        && references(touchpoint).all(|text| text.len() <= MAX_ID_BYTES)
        && has_figures(touchpoint)
}

/// The references to things other than people that a touchpoint has.
pub fn references<'a>(touchpoint: &Touchpoint<'a>) -> impl Iterator<Item = &'a str> {
    [
        touchpoint.session_id,
        touchpoint.account_id,
        touchpoint.issue_id,
        touchpoint.order_id,
        touchpoint.campaign,
    ]
    .into_iter()
    .flatten()
}

fn has_identifiers(touchpoint: &Touchpoint) -> bool {
    (1..=MAX_IDENTIFIERS).contains(&touchpoint.identifiers.len())
        && touchpoint
            .identifiers
            .iter()
            .all(|(kind, value)| value.len() <= MAX_IDENTIFIER_BYTES && is_name(kind))
}

/// 1 to 64 of A-Z a-z 0-9 _ . -
pub fn is_name(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(letters)
}

/// An identifier as its policy has prepared it: its type, and 1 to 200 bytes without the separator of keys. Python allows more.
pub fn is_identifier((kind, value): (&str, &str)) -> bool {
    is_name(kind) && (1..=MAX_IDENTIFIER_BYTES).contains(&value.len()) && !value.contains('\x1f')
}

/// A UUID in lower case with hyphens, and not nil (`schemas/keys.py`).
pub fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().any(|byte| !matches!(byte, b'0' | b'-'))
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Printable ASCII without spaces, and not empty.
fn is_visible(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// In the range, in milliseconds, filled in, and occurred no later than received.
fn has_times(touchpoint: &Touchpoint) -> bool {
    let (occurred_at, received_at) = (touchpoint.occurred_at, touchpoint.received_at);
    EARLIEST_MS <= occurred_at
        && occurred_at <= received_at
        && (SECONDS_UNTIL + 1..=LATEST_MS).contains(&received_at)
        && !(SECONDS_FROM..=SECONDS_UNTIL).contains(&occurred_at)
        && occurred_at != 0
        && occurred_at != -1
}

fn has_entries(touchpoint: &Touchpoint) -> bool {
    let attributes = touchpoint.attributes();
    let fits = |entries: &[(&str, &str)], key: usize, value: usize| {
        entries.len() <= MAX_ATTRIBUTES
            && entries.iter().all(|entry| entry.0.len() <= key && entry.1.len() <= value)
    };
    fits(&attributes, MAX_ID_BYTES, MAX_VALUE_BYTES)
        && fits(&touchpoint.experiments, MAX_NAME_BYTES, MAX_NAME_BYTES)
        && touchpoint.consent.len() <= MAX_ATTRIBUTES
        && touchpoint.consent.iter().all(|(purpose, _)| is_canonical(purpose))
}

/// Lower-case letters and digits, single underscores between them: canonical, whatever else is.
pub fn is_canonical(purpose: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_NAME_BYTES).contains(&purpose.len()) && purpose.bytes().all(letters) && !purpose.contains("__")
}

fn has_figures(touchpoint: &Touchpoint) -> bool {
    let currency = match touchpoint.currency {
        None => touchpoint.amount_minor.is_none(),
        Some(currency) => currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()),
    };
    currency
        && touchpoint.amount_minor.is_none_or(|amount| amount.unsigned_abs() <= MAX_AMOUNT_MINOR as u64)
        && touchpoint.sentiment.is_none_or(|sentiment| (-1.0..=1.0).contains(&sentiment))
        && touchpoint.score.is_none_or(|score| {
            let range = match score.kind {
                ScoreKind::Nps => 0.0..=10.0,
                ScoreKind::Csat => 1.0..=5.0,
                ScoreKind::Ces => 1.0..=7.0,
            };
            range.contains(&score.value)
        })
}
