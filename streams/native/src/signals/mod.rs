//! What subscribers were told: `streams/journeys/signals/`.

pub mod told;
