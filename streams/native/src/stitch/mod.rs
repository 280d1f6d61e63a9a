//! The hot path of stitch: touchpoints that bring nothing new, to their owners (`streams/stitch/`).

pub mod check;
pub mod prepared;
