//! What Python sees of the core.

pub mod batches;
pub mod fold;
pub mod journeys;
pub mod prediction;
pub mod records;
pub mod stitch;
pub mod stitch_restoring;
