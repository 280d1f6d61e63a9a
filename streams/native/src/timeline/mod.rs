//! One profile's touchpoints: `streams/journeys/timeline/`, as far as nothing has changed hands.

pub mod entry;
#[expect(clippy::module_inception)]
pub mod timeline;
