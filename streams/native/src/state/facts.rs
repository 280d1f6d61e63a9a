//! The commutative facts of a journey: `facts.py`.

use crate::rules::{Meaning, Moment};
use crate::state::values::bounded::Bounded;
use crate::touchpoint::Touchpoint;

#[derive(Default)]
pub struct Facts {
    pub touchpoints: i64,
    pub first_seen: i64,
    pub as_of: i64,
    pub account_id: Option<Box<str>>,
    /// Component (its index) and when it was seen last, sorted.
    pub components: Vec<(usize, i64)>,
    pub ouch_moments: i64,
    pub wow_moments: i64,
    pub experiments: Bounded<Box<str>>,
    pub first_campaign: Option<Box<str>>,
    pub last_campaign: Option<Box<str>>,
}

impl Facts {
    /// Adds the next touchpoint in fold order.
    pub fn note(&mut self, touchpoint: &Touchpoint, meaning: &Meaning) {
        let at = touchpoint.occurred_at;
        if self.touchpoints == 0 {
            self.first_seen = at;
        }
        self.touchpoints += 1;
        self.as_of = at;
        match self.components.binary_search_by_key(&meaning.component, |entry| entry.0) {
            Ok(index) => self.components[index].1 = at,
            Err(index) => self.components.insert(index, (meaning.component, at)),
        }
        match meaning.moment {
            Some(Moment::Ouch) => self.ouch_moments += 1,
            Some(Moment::Wow) => self.wow_moments += 1,
            None => {}
        }
        for (experiment, variant) in &touchpoint.experiments {
            self.experiments.put(experiment, (*variant).into());
        }
        set(&mut self.account_id, touchpoint.account_id);
        set(&mut self.last_campaign, touchpoint.campaign);
        if self.first_campaign.is_none() {
            set(&mut self.first_campaign, touchpoint.campaign);
        }
    }
}

/// Takes a new value, if there is one; most are what is known.
fn set(known: &mut Option<Box<str>>, value: Option<&str>) {
    if value.is_some() && known.as_deref() != value {
        *known = value.map(Into::into);
    }
}
