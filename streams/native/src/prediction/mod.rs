//! Predictions: `streams/journeys/prediction/`.

pub mod forward_decay;
pub mod names;
pub mod ordered;
pub mod recent_path;
pub mod risk;
pub mod transitions;
