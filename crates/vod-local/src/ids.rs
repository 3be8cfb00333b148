//! Random identifiers in the shapes that AWS gives them.

use aws_lc_rs::rand;

/// A random version 4 UUID, lower case with hyphens: request ids, message ids, event ids.
pub fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = format!("{:032x}", u128::from_be_bytes(bytes));
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

/// `count` random characters of `[a-z0-9]`: the tail of a MediaConvert job id, a receipt handle.
pub fn letters(count: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The bias of the remainder (256 mod 36) is of no concern: ids must differ, not be secret.
    (0..count)
        .map(|_| char::from(ALPHABET[usize::from(bytes::<1>()[0]) % ALPHABET.len()]))
        .collect()
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "without the system's random source nothing here can go on"
    )]
    rand::fill(&mut bytes).expect("the system's random source works");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4", "{id}");
        assert_ne!(id, uuid());
        let tail = letters(6);
        assert!(
            tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{tail}"
        );
    }
}
