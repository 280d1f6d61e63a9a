//! Record batches as aiokafka has them (`streams/runtime/record_batches.py`).

pub mod building;
pub mod fetched;
pub mod record;
