//! A touchpoint, read from the ResolvedTouchpoint that carries it, without copies of its texts.
//!
//! Fields and their order are those of `schemas/avro/Touchpoint.avsc`; `events.rs` has its key.

use smallvec::SmallVec;

use crate::encoding::{
    put_double, put_items, put_long, put_optional, put_text, Read, Reader, Uncovered, HEADER_BYTES,
};

/// CRC-64-AVRO of the schemas that are read here, as the header of a record states it.
pub const TOUCHPOINT: [u8; 8] = [0x32, 0x58, 0xbf, 0x64, 0x5f, 0x43, 0x89, 0xad];
pub const RESOLVED_TOUCHPOINT: [u8; 8] = [0xa5, 0x4d, 0x56, 0x85, 0x02, 0xb7, 0xcf, 0x32];

/// Times beyond are covered by Python: their differences would not be exact as doubles.
const LONGEST: u64 = 1 << 51;

pub type Pairs<'a> = SmallVec<[(&'a str, &'a str); 4]>;

#[derive(Clone, Copy, PartialEq)]
pub enum ScoreKind {
    Nps = 0,
    Csat = 1,
    Ces = 2,
}

#[derive(Clone, Copy, PartialEq)]
pub struct Score {
    pub kind: ScoreKind,
    pub value: f64,
}

/// In the order of the schema's symbols, which is that of strictness too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    Granted = 0,
    Denied = 1,
    Revoked = 2,
}

impl Decision {
    pub fn name(self) -> &'static str {
        match self {
            Decision::Granted => "GRANTED",
            Decision::Denied => "DENIED",
            Decision::Revoked => "REVOKED",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Observed = 0,
    Asserted = 1,
}

pub struct Touchpoint<'a> {
    pub tenant: &'a str,
    pub event_id: &'a str,
    pub occurred_at: i64,
    pub received_at: i64,
    pub source: &'a str,
    pub channel: &'a str,
    pub kind: &'a str,
    pub identifiers: Pairs<'a>,
    pub account_id: Option<&'a str>,
    pub session_id: Option<&'a str>,
    pub issue_id: Option<&'a str>,
    pub order_id: Option<&'a str>,
    pub campaign: Option<&'a str>,
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
    pub sentiment: Option<f64>,
    pub score: Option<Score>,
    pub consent: SmallVec<[(&'a str, Decision); 2]>,
    pub experiments: Pairs<'a>,
    pub link: Link,
    attributes: Reader<'a>,
}

/// A ResolvedTouchpoint: a touchpoint, the identifier that owns it, and its profile.
pub struct Owned<'a> {
    pub touchpoint: Touchpoint<'a>,
    pub owner: (&'a str, &'a str),
    pub profile_id: &'a str,
    pub version: i64,
    /// Where the touchpoint begins in the value.
    pub touchpoint_at: usize,
}

impl<'a> Owned<'a> {
    /// Reads a whole ResolvedTouchpoint of the current schema.
    pub fn read(value: &'a [u8]) -> Read<Self> {
        let mut reader = after_header(value, RESOLVED_TOUCHPOINT)?;
        let owner = (reader.text()?, reader.text()?);
        let (profile_id, version) = (reader.text()?, reader.long()?);
        let touchpoint_at = reader.at();
        let touchpoint = Touchpoint::read_last(&mut reader)?;
        Ok(Owned { touchpoint, owner, profile_id, version, touchpoint_at })
    }

    /// Reads one with values that a fold can count exactly.
    pub fn read_countable(value: &'a [u8]) -> Read<Self> {
        let owned = Owned::read(value)?;
        if owned.touchpoint.is_countable() {
            Ok(owned)
        } else {
            Err(Uncovered)
        }
    }
}

/// Reads what follows the header of a record of this schema.
pub fn after_header(value: &[u8], schema: [u8; 8]) -> Read<Reader<'_>> {
    if value.starts_with(b"\xc3\x01") && value.get(2..HEADER_BYTES) == Some(&schema) {
        Ok(Reader::new(value, HEADER_BYTES))
    } else {
        Err(Uncovered)
    }
}

impl<'a> Touchpoint<'a> {
    /// Reads a whole Touchpoint of the current schema.
    pub fn read_record(value: &'a [u8]) -> Read<Self> {
        Touchpoint::read_last(&mut after_header(value, TOUCHPOINT)?)
    }

    /// Whether a fold can count all its values exactly.
    pub fn is_countable(&self) -> bool {
        self.occurred_at.unsigned_abs() <= LONGEST
            && self.sentiment.is_none_or(f64::is_finite)
            && self.score.is_none_or(|score| score.value.is_finite())
            && self.currency.is_none_or(is_currency)
    }

    /// Reads the last field of a record, or a record.
    fn read_last(reader: &mut Reader<'a>) -> Read<Self> {
        let touchpoint = Touchpoint::read(reader)?;
        if reader.is_at_end() {
            Ok(touchpoint)
        } else {
            Err(Uncovered)
        }
    }

    /// Reads a field of a record, or an item.
    pub fn read(reader: &mut Reader<'a>) -> Read<Self> {
        let (tenant, event_id) = (reader.text()?, reader.text()?);
        let (occurred_at, received_at) = (reader.long()?, reader.long()?);
        let (source, channel, kind) = (reader.text()?, reader.text()?, reader.text()?);
        let mut identifiers = Pairs::new();
        reader.items(|item| {
            identifiers.push((item.text()?, item.text()?));
            Ok(())
        })?;
        let [account_id, session_id, issue_id, order_id, campaign] = [
            reader.optional(Reader::text)?,
            reader.optional(Reader::text)?,
            reader.optional(Reader::text)?,
            reader.optional(Reader::text)?,
            reader.optional(Reader::text)?,
        ];
        let (amount_minor, currency) = (reader.optional(Reader::long)?, reader.optional(Reader::text)?);
        let (sentiment, score) = (reader.optional(Reader::double)?, reader.optional(read_score)?);
        let mut consent = SmallVec::new();
        reader.items(|item| {
            put(&mut consent, item.text()?, read_decision(item)?);
            Ok(())
        })?;
        let mut experiments = Pairs::new();
        reader.items(|item| {
            put(&mut experiments, item.text()?, item.text()?);
            Ok(())
        })?;
        let link = [Link::Observed, Link::Asserted][usize::from(reader.symbol(2)?)];
        let attributes = reader.clone();
        reader.items(|item| {
            item.text()?;
            item.text()?;
            Ok(())
        })?;
        Ok(Touchpoint {
            tenant,
            event_id,
            occurred_at,
            received_at,
            source,
            channel,
            kind,
            identifiers,
            account_id,
            session_id,
            issue_id,
            order_id,
            campaign,
            amount_minor,
            currency,
            sentiment,
            score,
            consent,
            experiments,
            link,
            attributes,
        })
    }

    /// The encoded Touchpoint without its header, its event id and the time of its reception.
    pub fn nameless(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_text(&mut out, self.tenant);
        put_text(&mut out, "");
        put_long(&mut out, self.occurred_at);
        put_long(&mut out, 0);
        for text in [self.source, self.channel, self.kind] {
            put_text(&mut out, text);
        }
        put_items(&mut out, self.identifiers.iter(), put_pair);
        for text in [self.account_id, self.session_id, self.issue_id, self.order_id, self.campaign] {
            put_optional(&mut out, text, put_text);
        }
        put_optional(&mut out, self.amount_minor, put_long);
        put_optional(&mut out, self.currency, put_text);
        put_optional(&mut out, self.sentiment, put_double);
        put_optional(&mut out, self.score, |out, score| {
            put_long(out, score.kind as i64);
            put_double(out, score.value);
        });
        put_items(&mut out, self.consent.iter(), |out, (purpose, decision)| {
            put_text(out, purpose);
            put_long(out, *decision as i64);
        });
        put_items(&mut out, self.experiments.iter(), put_pair);
        put_long(&mut out, self.link as i64);
        put_items(&mut out, self.attributes().iter(), put_pair);
        out
    }

    pub fn attributes(&self) -> Pairs<'a> {
        let mut found = Pairs::new();
        // they were read once before: no error can occur
        let _ = self.attributes.clone().items(|item| {
            put(&mut found, item.text()?, item.text()?);
            Ok(())
        });
        found
    }
}

fn put_pair(out: &mut Vec<u8>, pair: &(&str, &str)) {
    put_text(out, pair.0);
    put_text(out, pair.1);
}

/// Sets an entry as a dict does: of several with one name the first gives the place and the last the value.
fn put<'a, T>(entries: &mut SmallVec<impl smallvec::Array<Item = (&'a str, T)>>, name: &'a str, value: T) {
    match entries.iter_mut().find(|entry| entry.0 == name) {
        Some(entry) => entry.1 = value,
        None => entries.push((name, value)),
    }
}

fn read_score(reader: &mut Reader) -> Read<Score> {
    let kind = [ScoreKind::Nps, ScoreKind::Csat, ScoreKind::Ces][usize::from(reader.symbol(3)?)];
    Ok(Score { kind, value: reader.double()? })
}

fn read_decision(reader: &mut Reader) -> Read<Decision> {
    Ok([Decision::Granted, Decision::Denied, Decision::Revoked][usize::from(reader.symbol(3)?)])
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
