//! Kafka's zigzag integers of variable length (`aiokafka/record/util.py`).

use super::record::Damage;

/// The integer at `at`, which moves behind it.
pub fn read(data: &[u8], at: &mut usize) -> Result<i64, Damage> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let Some(byte) = data.get(*at) else {
            return Err(Damage::CutOff { size: 1, at: *at });
        };
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(Damage::LongInteger)
}

pub fn put(out: &mut Vec<u8>, value: i64) {
    let mut left = zigzag(value);
    while left > 0x7f {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// How many bytes `put` appends.
pub fn size(value: i64) -> usize {
    (64 - (zigzag(value) | 1).leading_zeros() as usize).div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}
