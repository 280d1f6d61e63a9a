//! What Python sees of the core.

pub mod batches;
pub mod fold;
pub mod identity;
pub mod journeys;
pub mod naming;
pub mod prediction;
pub mod records;
pub mod stitch;
pub mod stitch_learning;
pub mod stitch_restoring;
