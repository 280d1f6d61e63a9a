//! UUIDv5 as text: `schemas/profile_ids.py`.

use sha1::{Digest, Sha1};

/// Namespace of all profile ids.
pub const PROFILES: [u8; 16] =
    [0x5f, 0x0c, 0x4d, 0x3e, 0x0b, 0x7a, 0x5c, 0x1e, 0x9d, 0x52, 0x7f, 0x6b, 0x8a, 0x1e, 0x2c, 0x43];

/// `str(uuid.uuid5(namespace, name))` of a name in parts.
pub fn uuid5_text(namespace: &[u8; 16], name: &[&str]) -> String {
    let mut hash = Sha1::new();
    hash.update(namespace);
    for part in name {
        hash.update(part.as_bytes());
    }
    let mut digest = hash.finalize();
    digest[6] = digest[6] & 0x0f | 0x50;
    digest[8] = digest[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in digest[..16].iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        push_hex(&mut text, *byte);
    }
    text
}

/// Two lower-case hexadecimal digits.
pub fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
    }
}
