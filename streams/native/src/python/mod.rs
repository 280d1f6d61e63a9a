//! What Python sees of the core.

pub mod fold;
pub mod records;
pub mod stitch;
