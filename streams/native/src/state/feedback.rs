//! Feedback: the answers to surveys, and the sentiment of what the customer wrote or said (`feedback.py`).

use std::sync::Arc;

use crate::events::Event;
use crate::numbers::{fixed, general};
use crate::rules::Rules;
use crate::state::signals::{kinds, Signal, SignalBook};
use crate::state::values::decay::DecayedMean;
use crate::touchpoint::{Score, ScoreKind};

/// Whether an answer is good (true) or bad (false); None if it is neither.
pub fn verdict(score: Score) -> Option<bool> {
    let (good, bad) = match score.kind {
        ScoreKind::Csat => (4.0, 2.0),
        ScoreKind::Ces => (5.0, 3.0),
        ScoreKind::Nps => (9.0, 6.0),
    };
    if score.value >= good {
        Some(true)
    } else {
        (score.value <= bad).then_some(false)
    }
}

#[derive(Default)]
pub struct Scores {
    /// Time and value of the latest answer of each kind.
    latest: [Option<(i64, f64)>; 3],
    pub detractor: Option<Arc<Signal>>,
}

impl Scores {
    pub fn add(&mut self, score: Score, at: i64, event: &Event, rules: &Rules, book: &SignalBook) {
        self.latest[score.kind as usize] = Some((at, score.value));
        if score.kind == ScoreKind::Nps {
            self.detractor = (score.value <= rules.detractor_at_most).then(|| {
                let details = vec![("nps", general(score.value))];
                book.make(&kinds::DETRACTOR, at, std::slice::from_ref(event), details)
            });
        }
    }

    pub fn latest(&self, kind: ScoreKind) -> Option<(i64, f64)> {
        self.latest[kind as usize]
    }

    pub fn value(&self, kind: ScoreKind) -> Option<f64> {
        self.latest(kind).map(|answer| answer.1)
    }
}

#[derive(Default)]
pub struct Sentiment {
    mean: DecayedMean,
    recent_mean: DecayedMean,
    count: i64,
}

impl Sentiment {
    /// Adds the sentiments of one time, each with its event.
    pub fn add(&mut self, mut moods: Vec<(f64, Event)>, at: i64, rules: &Rules, book: &mut SignalBook) {
        // stable, and zeros of both signs are equal
        moods.sort_by(|one, other| other.0.partial_cmp(&one.0).unwrap_or(std::cmp::Ordering::Equal));
        let before = self.mean.value();
        let mut after = before;
        for (sentiment, _) in &moods {
            self.count += 1;
            self.recent_mean.add(*sentiment, at, rules.trend_half_life_ms);
            after = Some(self.mean.add(*sentiment, at, rules.sentiment_half_life_ms));
        }
        if let (Some(before), Some(after), Some((_, event))) = (before, after, moods.last()) {
            if before >= rules.sentiment_below && rules.sentiment_below > after {
                let details = vec![("from", fixed(before, 2)), ("to", fixed(after, 2))];
                book.remember(&kinds::SENTIMENT_DROP, at, std::slice::from_ref(event), details);
            }
        }
    }

    pub fn value(&self) -> Option<f64> {
        self.mean.value()
    }

    /// The recent mean less the mean; None before the second sentiment.
    pub fn trend(&self) -> Option<f64> {
        let (mean, recent) = (self.mean.value()?, self.recent_mean.value()?);
        (self.count >= 2).then_some(recent - mean)
    }
}
