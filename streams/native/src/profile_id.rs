//! UUIDv5 as text: `streams/identity/resolution/profile_id.py`.

use sha1::{Digest, Sha1};

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
