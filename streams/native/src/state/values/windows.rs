//! Sliding windows of whole UTC days: `windows.py`.

use crate::numbers::{round, rounded};
use crate::rules::Rules;

const DAY: i64 = 86_400_000;

/// Points of effort by day, in thousandths.
#[derive(Default)]
pub struct Effort(Vec<(i64, i64)>);

impl Effort {
    pub fn add(&mut self, points: i64, at: i64, rules: &Rules) {
        let today = at.div_euclid(DAY);
        match self.0.iter_mut().find(|(day, _)| *day == today) {
            Some(day) => day.1 += points,
            None => {
                self.0.push((today, points));
                self.0.retain(|(day, _)| *day > today - rules.effort_days);
            }
        }
    }

    /// Effort, and whether a CES answer (time and value) gave it.
    pub fn value(&self, as_of: i64, ces: Option<(i64, f64)>, rules: &Rules) -> (f64, bool) {
        let oldest = as_of.div_euclid(DAY) - rules.effort_days;
        if let Some((at, value)) = ces {
            if at.div_euclid(DAY) > oldest {
                return (rounded(((7.0 - value) * 100.0 / 6.0).clamp(0.0, 100.0), 2), true);
            }
        }
        let points: i64 = self.0.iter().filter(|(day, _)| *day > oldest).map(|(_, points)| points).sum();
        (round((100 * points) as f64 / (points + rules.effort_half_points) as f64, 2), false)
    }
}

pub struct Touch {
    pub at: i64,
    pub channel: Box<str>,
    pub kind: Box<str>,
    pub campaign: Option<Box<str>>,
}

struct MarketingDay {
    day: i64,
    touches: i64,
    first: Touch,
    /// None: the first is the last.
    last: Option<Touch>,
}

/// Marketing touches by day.
#[derive(Default)]
pub struct Marketing(Vec<MarketingDay>);

impl Marketing {
    pub fn add(&mut self, touch: Touch, rules: &Rules) {
        let today = touch.at.div_euclid(DAY);
        match self.0.iter_mut().find(|known| known.day == today) {
            Some(known) => {
                known.touches += 1;
                known.last = Some(touch);
            }
            None => {
                self.0.push(MarketingDay { day: today, touches: 1, first: touch, last: None });
                self.0.retain(|known| known.day > today - rules.marketing_days);
            }
        }
    }

    /// The number of touches in the window that ends with `as_of`, the first and the last of them.
    pub fn within(&self, as_of: i64, rules: &Rules) -> (i64, Option<&Touch>, Option<&Touch>) {
        let oldest = as_of.div_euclid(DAY) - rules.marketing_days;
        let mut found = self.0.iter().filter(|known| known.day > oldest);
        let Some(first) = found.next() else {
            return (0, None, None);
        };
        let (mut touches, mut last) = (first.touches, first);
        for known in found {
            touches += known.touches;
            last = known;
        }
        (touches, Some(&first.first), Some(last.last.as_ref().unwrap_or(&last.first)))
    }
}
