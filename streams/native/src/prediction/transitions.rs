//! A first-order Markov model of the next inbound touchpoint: `transitions.py`.

use crate::prediction::forward_decay::weight;
use crate::prediction::names::{name_of, Name};
use crate::prediction::ordered::Ordered;

/// Stage and type of a touchpoint.
pub type Origin = (Name, Name);
pub type Row = Ordered<Name, f64>;

const BACK_OFF: f64 = 5.0;
const MAX_CELLS: usize = 20_000;

pub struct Transitions {
    half_life: i64,
    by_origin: Ordered<Origin, Row>,
    by_type: Ordered<Name, Row>,
    all: Row,
    pub newest: i64,
}

impl Transitions {
    pub fn new(half_life: i64) -> Self {
        Transitions {
            half_life,
            by_origin: Ordered::default(),
            by_type: Ordered::default(),
            all: Row::default(),
            newest: 0,
        }
    }

    /// Counts a transition to an inbound touchpoint at an event time.
    pub fn add(&mut self, origin: Origin, following: Name, at: i64) {
        self.newest = self.newest.max(at);
        self.put(origin, following, weight(at, self.half_life));
    }

    /// The probability of each type of the next inbound touchpoint, in the order of Python's dict.
    pub fn distribution(&self, origin: Origin) -> Vec<(Name, f64)> {
        let total: f64 = self.all.iter().fold(0.0, |sum, (_, amount)| sum + amount);
        if total == 0.0 {
            return Vec::new();
        }
        let mut base: Vec<(Name, f64)> =
            self.all.iter().map(|(name, amount)| (name, amount / total)).collect();
        let extra = BACK_OFF * self.now();
        for row in [self.by_type.get(&origin.1), self.by_origin.get(&origin)].into_iter().flatten() {
            let total = row.iter().fold(0.0, |sum, (_, amount)| sum + amount) + extra;
            for (name, share) in &mut base {
                *share = (row.get(name).copied().unwrap_or(0.0) + extra * *share) / total;
            }
        }
        base
    }

    /// Removes the lightest cells if there are too many.
    pub fn prune(&mut self) {
        let mut cells = self.cells();
        if cells.len() <= MAX_CELLS {
            return;
        }
        let words = |origin: Origin, name| (name_of(origin.0), name_of(origin.1), name_of(name));
        cells.sort_by(|one, other| {
            other.2.total_cmp(&one.2).then_with(|| words(one.0, one.1).cmp(&words(other.0, other.1)))
        });
        let newest = self.newest;
        *self = Transitions::new(self.half_life);
        self.newest = newest;
        for (origin, following, amount) in &cells[..MAX_CELLS * 9 / 10] {
            self.put(*origin, *following, *amount);
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = (Origin, &Row)> {
        self.by_origin.iter()
    }

    /// The weight of the newest touchpoint.
    pub fn now(&self) -> f64 {
        weight(self.newest, self.half_life)
    }

    pub fn put(&mut self, origin: Origin, following: Name, amount: f64) {
        *self.by_origin.entry(origin).entry(following) += amount;
        *self.by_type.entry(origin.1).entry(following) += amount;
        *self.all.entry(following) += amount;
    }

    fn cells(&self) -> Vec<(Origin, Name, f64)> {
        let of = |(origin, row): (Origin, &Row)| {
            row.iter().map(|(name, amount)| (origin, name, *amount)).collect::<Vec<_>>()
        };
        self.by_origin.iter().flat_map(of).collect()
    }
}
