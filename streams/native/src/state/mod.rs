//! The journey fold and its parts: `streams/journeys/state/`.

pub mod channels;
pub mod consent;
pub mod counting;
pub mod expectations;
pub mod facts;
pub mod feedback;
pub mod fold;
pub mod friction;
pub mod instants;
pub mod issues;
pub mod orders;
pub mod owners;
pub mod recent;
pub mod record;
pub mod sessions;
pub mod signals;
pub mod stages;
pub mod values;
