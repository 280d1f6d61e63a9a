//! Journeys as bytes, for the many of whom nothing is heard at the moment: as `streams/journeys/compression.py` does it.
//!
//! What follows from the touchpoints and the key is left out, and so is what touchpoints of one owner share. Packed
//! journeys never leave the process, so their form need not outlive it.

use std::collections::VecDeque;

use crate::encoding::{put_double, put_items, put_long, put_optional, put_text, Read, Reader, Uncovered};
use crate::events::{event_key, Event};
use crate::journey::Journey;
use crate::prediction::names::Name;
use crate::prediction::recent_path::RecentPath;
use crate::prediction::risk::Standing;
use crate::signals::told::{Publication, Told};
use crate::state::values::bounded::Bounded;
use crate::state::values::decay::DecayedSum;
use crate::timeline::entry::Entry;
use crate::timeline::timeline::{put_resolved, Pointer, Timeline};
use crate::touchpoint::Owned;

/// Touchpoints with one beginning: owner and version of the assignment.
type Group<'a> = (&'a str, &'a str, i64);

/// A journey that was published and that no fetch touches, as bytes. `record` encodes an assignment.
///
/// None for one that must stay as it is.
pub fn pack<R>(
    journey: &Journey<R>,
    tenant: &str,
    profile_id: &str,
    mut record: impl FnMut(&R) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let Journey { timeline, told, path } = journey;
    let follows = told.last.is_some() && !told.unconfirmed;
    if !follows && (told.last.is_some() || !timeline.entries.is_empty()) {
        return None;
    }
    let mut out = Vec::with_capacity(timeline.size + 256);
    put_long(&mut out, timeline.version);
    put_long(&mut out, i64::from(told.unconfirmed));
    put_optional(&mut out, told.last.as_ref(), |out, last| {
        for number in [last.version, last.now, last.meanings] {
            put_long(out, number);
        }
        put_optional(out, last.due, put_long);
    });
    put_long(&mut out, timeline.pointers.len() as i64);
    for pointer in &timeline.pointers {
        put_text(&mut out, &pointer.node.0);
        put_text(&mut out, &pointer.node.1);
        put_long(&mut out, pointer.version);
        put_optional(&mut out, pointer.owner.as_deref(), put_text);
        put_bytes(&mut out, &record(&pointer.record)?);
    }
    let read: Vec<Owned> = timeline
        .entries
        .iter()
        .map(|entry| Owned::read_countable(&entry.value))
        .collect::<Result<_, _>>()
        .ok()?;
    let mut groups: Vec<Group> = Vec::new();
    let mut members = Vec::with_capacity(read.len());
    for owned in &read {
        let group = (owned.owner.0, owned.owner.1, owned.version);
        members.push(groups.iter().position(|known| *known == group).unwrap_or_else(|| {
            groups.push(group);
            groups.len() - 1
        }));
    }
    put_items(&mut out, groups.iter(), |out, (kind, name, version)| {
        put_text(out, kind);
        put_text(out, name);
        put_long(out, *version);
    });
    put_long(&mut out, read.len() as i64);
    for ((entry, owned), group) in timeline.entries.iter().zip(&read).zip(members) {
        let mut beginning = Vec::with_capacity(128);
        put_beginning(&mut beginning, groups[group], tenant, profile_id);
        put_long(&mut out, group as i64);
        put_bytes(&mut out, entry.value.strip_prefix(beginning.as_slice())?);
        debug_assert_eq!(owned.profile_id, profile_id);
    }
    put_optional(&mut out, path.as_ref(), put_path);
    Some(out)
}

/// Back from `pack`. `record` decodes an assignment, or keeps it as it is.
pub fn unpack<R>(
    packed: &[u8],
    tenant: &str,
    profile_id: &str,
    mut record: impl FnMut(&[u8]) -> R,
) -> Read<Journey<R>> {
    let mut reader = Reader::new(packed, 0);
    let version = reader.long()?;
    let unconfirmed = reader.long()? != 0;
    let last = reader.optional(|reader| {
        let [version, now, meanings] = [reader.long()?, reader.long()?, reader.long()?];
        Ok(Publication { version, now, due: reader.optional(Reader::long)?, meanings })
    })?;
    let mut timeline = Timeline { version, ..Timeline::default() };
    for _ in 0..reader.long()? {
        let node = (reader.text()?.into(), reader.text()?.into());
        let (version, owner) = (reader.long()?, reader.optional(Reader::text)?.map(Into::into));
        timeline.pointers.push(Pointer { node, version, owner, record: record(reader.bytes()?) });
    }
    let mut beginnings: Vec<Vec<u8>> = Vec::new();
    reader.items(|item| {
        let mut beginning = Vec::with_capacity(128);
        put_beginning(&mut beginning, (item.text()?, item.text()?, item.long()?), tenant, profile_id);
        beginnings.push(beginning);
        Ok(())
    })?;
    for _ in 0..reader.long()? {
        let group = usize::try_from(reader.long()?).map_err(|_| Uncovered)?;
        let value = [beginnings.get(group).ok_or(Uncovered)?, reader.bytes()?].concat();
        let (at, event) = {
            let touchpoint = Owned::read_countable(&value)?.touchpoint;
            (touchpoint.occurred_at, event_key(&touchpoint))
        };
        timeline.size += value.len();
        timeline.entries.push(Entry { at, event, value: value.into() });
    }
    let path = reader.optional(read_path)?;
    // of a profile that was published, signals follow; of an empty one none holds
    let signals = last.is_none().then(Vec::new);
    Ok(Journey { timeline, told: Told { signals, unconfirmed, last }, path })
}

/// How the ResolvedTouchpoints of a group begin: up to the tenant, which is included.
fn put_beginning(out: &mut Vec<u8>, (kind, name, version): Group, tenant: &str, profile_id: &str) {
    put_resolved(out, (kind, name), profile_id, version);
    put_text(out, tenant);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

fn put_path(out: &mut Vec<u8>, path: &RecentPath) {
    put_long(out, path.last.0);
    put_text(out, &path.last.1);
    put_long(out, i64::from(path.stage));
    put_long(out, i64::from(path.kind));
    let (value, at) = path.friction.dump();
    put_double(out, value);
    put_long(out, at);
    put_items(out, path.issues.iter(), |out, (issue_id, open)| {
        put_text(out, issue_id);
        put_long(out, i64::from(*open));
    });
    put_items(out, path.acts.iter(), |out, (stage, kind)| {
        put_long(out, i64::from(*stage));
        put_long(out, i64::from(*kind));
    });
    put_optional(out, path.risks.as_ref(), |out, risks| {
        let mut before = 0;
        put_items(out, risks.iter(), |out, (at, standing)| {
            put_long(out, at - before); // they are in order: differences are small
            before = *at;
            put_long(out, i64::from(standing.stage));
            put_long(out, i64::from(standing.kind));
            put_long(out, i64::from(standing.friction) * 2 + i64::from(standing.open_issue));
        });
    });
}

fn read_path(reader: &mut Reader) -> Read<RecentPath> {
    let mut path = RecentPath::new(false);
    path.last = (reader.long()?, Event::from(reader.text()?));
    (path.stage, path.kind) = (name(reader)?, name(reader)?);
    path.friction = DecayedSum::load((reader.double()?, reader.long()?));
    let mut issues = Bounded::default();
    reader.items(|item| {
        issues.put(item.text()?, item.long()? != 0);
        Ok(())
    })?;
    path.issues = issues;
    reader.items(|item| {
        path.acts.push((name(item)?, name(item)?));
        Ok(())
    })?;
    path.risks = reader.optional(|reader| {
        let (mut risks, mut at) = (VecDeque::new(), 0);
        reader.items(|item| {
            at += item.long()?;
            let (stage, kind, rest) = (name(item)?, name(item)?, item.long()?);
            risks.push_back((
                at,
                Standing { stage, kind, friction: (rest / 2) as u8, open_issue: rest % 2 != 0 },
            ));
            Ok(())
        })?;
        Ok(risks)
    })?;
    Ok(path)
}

fn name(reader: &mut Reader) -> Read<Name> {
    Name::try_from(reader.long()?).map_err(|_| Uncovered)
}
