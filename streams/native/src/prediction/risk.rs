//! The probability of an inbound service contact within 7 days: `risk.py`.

use crate::prediction::forward_decay::weight;
use crate::prediction::names::{name_of, Name};
use crate::prediction::ordered::Ordered;

pub const DAY_MS: i64 = 86_400_000;
pub const HORIZON_MS: i64 = 7 * DAY_MS;
const RIPE_DAYS: i64 = HORIZON_MS / DAY_MS + 1;
const BACK_OFF: f64 = 100.0;
const MAX_CELLS: usize = 20_000;

/// The state of a customer after a touchpoint, as far as the risk depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Standing {
    pub stage: Name,
    pub kind: Name,
    pub friction: u8,
    pub open_issue: bool,
}

/// Observations, and those with a contact within 7 days.
pub type Counts = (f64, f64);
/// The day of a pending observation, or None if it is ripe; the standing; its counts.
pub type Cell = (Option<i64>, Standing, Counts);

pub struct Risk {
    half_life: i64,
    pending: Vec<(i64, Ordered<Standing, Counts>)>,
    ripe: Ordered<Standing, Counts>,
    by_type: Ordered<(Name, u8, bool), Counts>,
    by_friction: Ordered<(u8, bool), Counts>,
    all: Counts,
    pub newest: i64,
}

impl Risk {
    pub fn new(half_life: i64) -> Self {
        Risk {
            half_life,
            pending: Vec::new(),
            ripe: Ordered::default(),
            by_type: Ordered::default(),
            by_friction: Ordered::default(),
            all: (0.0, 0.0),
            newest: 0,
        }
    }

    /// Counts an observation: a touchpoint left a customer in this standing.
    pub fn observe(&mut self, standing: Standing, at: i64) {
        if at > self.newest {
            self.newest = at;
            self.ripen();
        }
        self.add(at.div_euclid(DAY_MS), standing, (1.0, 0.0));
    }

    /// Counts a contact within 7 days of the observation at this time.
    pub fn hit(&mut self, standing: Standing, at: i64) {
        self.add(at.div_euclid(DAY_MS), standing, (0.0, 1.0));
    }

    pub fn probability(&self, standing: Standing) -> Option<f64> {
        if self.all.0 <= 0.0 {
            return None;
        }
        let mut share = self.all.1 / self.all.0;
        let extra = BACK_OFF * self.now();
        let Standing { kind, friction, open_issue, .. } = standing;
        let groups = [
            self.by_friction.get(&(friction, open_issue)),
            self.by_type.get(&(kind, friction, open_issue)),
            self.ripe.get(&standing),
        ];
        for group in groups.into_iter().flatten() {
            share = (group.1 + extra * share) / (group.0 + extra);
        }
        Some(share.clamp(0.0, 1.0))
    }

    /// Removes the lightest groups if there are too many.
    pub fn prune(&mut self) {
        let total =
            self.ripe.len() + self.pending.iter().map(|(_, standings)| standings.len()).sum::<usize>();
        if total <= MAX_CELLS {
            return;
        }
        let now = self.now();
        let mut cells: Vec<Cell> = self.cells().collect();
        let words = |one: &Standing| (name_of(one.stage), name_of(one.kind), one.friction, one.open_issue);
        let heavy = |cell: &Cell| cell.2 .0 / if cell.0.is_none() { now } else { 1.0 };
        cells.sort_by(|one, other| {
            heavy(other)
                .total_cmp(&heavy(one))
                .then_with(|| one.0.unwrap_or(0).cmp(&other.0.unwrap_or(0)))
                .then_with(|| words(&one.1).cmp(&words(&other.1)))
        });
        let newest = self.newest;
        *self = Risk::new(self.half_life);
        self.newest = newest;
        cells.iter().take(MAX_CELLS * 9 / 10).for_each(|cell| self.put(*cell));
    }

    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        let ripe = self.ripe.iter().map(|(standing, counts)| (None, standing, *counts));
        let of = |day: i64| move |(standing, counts): (Standing, &Counts)| (Some(day), standing, *counts);
        ripe.chain(self.pending.iter().flat_map(move |(day, standings)| standings.iter().map(of(*day))))
    }

    pub fn put(&mut self, (day, standing, counts): Cell) {
        match day {
            None => self.add_ripe(standing, counts),
            Some(day) => self.add(day, standing, counts),
        }
    }

    /// The weight of the newest observation.
    pub fn now(&self) -> f64 {
        weight(self.newest, self.half_life)
    }

    fn add(&mut self, day: i64, standing: Standing, counts: Counts) {
        if self.is_ripe(day) {
            let factor = weight(day * DAY_MS, self.half_life);
            return self.add_ripe(standing, (counts.0 * factor, counts.1 * factor));
        }
        let index = match self.pending.iter().position(|(known, _)| *known == day) {
            Some(index) => index,
            None => {
                self.pending.push((day, Ordered::default()));
                self.pending.len() - 1
            }
        };
        add_to(self.pending[index].1.entry(standing), counts);
    }

    fn add_ripe(&mut self, standing: Standing, counts: Counts) {
        let Standing { kind, friction, open_issue, .. } = standing;
        add_to(self.ripe.entry(standing), counts);
        add_to(self.by_type.entry((kind, friction, open_issue)), counts);
        add_to(self.by_friction.entry((friction, open_issue)), counts);
        add_to(&mut self.all, counts);
    }

    fn is_ripe(&self, day: i64) -> bool {
        day <= self.newest.div_euclid(DAY_MS) - RIPE_DAYS
    }

    fn ripen(&mut self) {
        while let Some(index) = self.pending.iter().position(|(day, _)| self.is_ripe(*day)) {
            let (day, standings) = self.pending.remove(index);
            for (standing, counts) in standings.iter() {
                self.add(day, standing, *counts);
            }
        }
    }
}

fn add_to(known: &mut Counts, counts: Counts) {
    known.0 += counts.0;
    known.1 += counts.1;
}
