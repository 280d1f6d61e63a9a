//! Orders and their revenue: `orders.py`.

use std::collections::VecDeque;

use crate::rules::{Effect, Meaning};
use crate::state::values::bounded::Bounded;
use crate::touchpoint::Touchpoint;

/// Orders, returns and cancellations with an id that one journey remembers.
const MAX_ORDERS: usize = 100;

/// A count, by what adds to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    Placed = 0,
    Returned = 1,
    Cancelled = 2,
}

struct Known {
    count: Count,
    order_id: Box<str>,
    /// Whether a touchpoint stated what was paid.
    paid: bool,
}

#[derive(Default)]
pub struct Orders {
    counts: [i64; 3],
    /// Currency to minor units, exact.
    revenue: Bounded<i128>,
    /// Oldest first.
    known: VecDeque<Known>,
}

impl Orders {
    /// Counts the next touchpoint with an effect on orders or revenue. False if its order is counted already.
    pub fn note(&mut self, touchpoint: &Touchpoint, meaning: &Meaning) -> bool {
        let count = match meaning.effect {
            Some(Effect::OrderPlaced) => Some(Count::Placed),
            Some(Effect::OrderReturned) => Some(Count::Returned),
            Some(Effect::OrderCancelled) => Some(Count::Cancelled),
            _ => None,
        };
        let paid = touchpoint.amount_minor.zip(touchpoint.currency).map(|(amount, currency)| {
            let amount = i128::from(amount);
            (if count == Some(Count::Placed) { amount } else { -amount.abs() }, currency)
        });
        let (Some(count), Some(order_id)) = (count, touchpoint.order_id) else {
            if let Some(count) = count {
                self.counts[count as usize] += 1;
            }
            self.pay(paid);
            return true;
        };
        let known = self.known.iter_mut().find(|known| known.count == count && &*known.order_id == order_id);
        if let Some(known) = known {
            if !known.paid {
                known.paid = paid.is_some();
                self.pay(paid);
            }
            return false;
        }
        self.counts[count as usize] += 1;
        self.pay(paid);
        self.known.push_back(Known { count, order_id: order_id.into(), paid: paid.is_some() });
        if self.known.len() > MAX_ORDERS {
            self.known.pop_front();
        }
        true
    }

    /// Orders, those returned and those cancelled.
    pub fn counts(&self) -> [i64; 3] {
        self.counts
    }

    /// Minor units per currency, sorted, clamped to the range of an Avro long.
    pub fn revenue_records(&self) -> Vec<(&str, i64)> {
        let most = i128::from(i64::MAX);
        self.revenue
            .sorted()
            .into_iter()
            .map(|(name, total)| (name, (*total).clamp(-most, most) as i64))
            .collect()
    }

    fn pay(&mut self, paid: Option<(i128, &str)>) {
        if let Some((amount, currency)) = paid {
            let total = self.revenue.get(currency).copied().unwrap_or(0);
            self.revenue.put(currency, total + amount);
        }
    }
}
