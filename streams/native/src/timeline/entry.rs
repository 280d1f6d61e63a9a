//! A touchpoint on the timeline: `entry.py`.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

use crate::events::Event;
use crate::profile_id::push_hex;
use crate::touchpoint::{Link, Owned};

/// A touchpoint, encoded, and where it stands in the fold order.
pub struct Entry {
    pub at: i64,
    pub event: Event,
    /// The ResolvedTouchpoint.
    pub value: Box<[u8]>,
}

impl Entry {
    pub fn place(&self) -> (i64, &str) {
        (self.at, &self.event)
    }
}

/// Its key in the changelog: event, time, owner, and a digest of what the owner is linked with, and how.
pub fn id_of(owned: &Owned, event: &str) -> String {
    let touchpoint = &owned.touchpoint;
    let mut proof = String::new();
    if touchpoint.identifiers.len() > 1 {
        let mut hash = Blake2b::<U8>::new();
        hash.update(match touchpoint.link {
            Link::Observed => "OBSERVED",
            Link::Asserted => "ASSERTED",
        });
        for text in touchpoint.identifiers.iter().flat_map(|(kind, value)| [kind, value]) {
            hash.update("\0");
            hash.update(text);
        }
        hash.finalize().iter().for_each(|byte| push_hex(&mut proof, *byte));
    }
    format!("{event}\0{}\0{}\0{}\0{proof}", touchpoint.occurred_at, owned.owner.0, owned.owner.1)
}
