//! Ties: the fold order of touchpoints with one `occurred_at` (`instants.py`).

use std::cmp::Ordering;

use crate::rules::Effect;
use crate::touchpoint::Owned;

/// Sorts the touchpoints of one time by content. The last used channel comes first.
pub fn by_content<'a, 'b>(instant: &'b [Owned<'a>], last_channel: &str) -> Vec<&'b Owned<'a>> {
    let mut keyed: Vec<_> = instant.iter().map(|owned| (owned, owned.touchpoint.nameless())).collect();
    keyed.sort_by(|one, other| compare(one, other, last_channel));
    keyed.into_iter().map(|(owned, _)| owned).collect()
}

fn compare(one: &(&Owned, Vec<u8>), other: &(&Owned, Vec<u8>), last_channel: &str) -> Ordering {
    let ((mine, my_bytes), (theirs, their_bytes)) = (one, other);
    let (a, b) = (&mine.touchpoint, &theirs.touchpoint);
    (a.channel != last_channel)
        .cmp(&(b.channel != last_channel))
        .then_with(|| a.channel.cmp(b.channel))
        .then_with(|| a.source.cmp(b.source))
        .then_with(|| a.session_id.unwrap_or("").cmp(b.session_id.unwrap_or("")))
        .then_with(|| a.kind.cmp(b.kind))
        .then_with(|| mine.owner.cmp(&theirs.owner))
        .then_with(|| my_bytes.cmp(their_bytes))
        .then_with(|| a.event_id.cmp(b.event_id))
}

/// The rank of a touchpoint with this effect among those of one time; issues take low ranks first.
pub fn issue_rank(effect: Option<Effect>) -> u8 {
    match effect {
        Some(Effect::IssueOpened) => 1,
        Some(Effect::IssueSolved) => 2,
        Some(Effect::Survey) => 3,
        _ => 0,
    }
}
