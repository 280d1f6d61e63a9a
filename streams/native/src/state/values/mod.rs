//! Values that several parts of the fold share: `streams/journeys/state/values/`.

pub mod bounded;
pub mod decay;
pub mod windows;
