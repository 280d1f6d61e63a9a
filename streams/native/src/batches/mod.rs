//! Kafka's record batches, format 2: what `aiokafka/record/default_records.py` reads and builds.

pub mod build;
pub mod header;
pub mod record;
pub mod varint;
