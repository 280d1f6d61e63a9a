//! Kafka keys and partitions: `schemas/keys.py` and `schemas/murmur2.py`.

const SEED: u32 = 0x9747_b28c;
const MIXER: u32 = 0x5bd1_e995;

/// The partition of a keyed record, as Kafka's producers choose it.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

fn murmur2(data: &[u8]) -> u32 {
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        k = k.wrapping_mul(MIXER);
        k = (k ^ k >> 24).wrapping_mul(MIXER);
        hash = hash.wrapping_mul(MIXER) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let number = rest.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        hash = (hash ^ number).wrapping_mul(MIXER);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(MIXER);
    hash ^ hash >> 15
}
