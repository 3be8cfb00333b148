//! Random identifiers in the shapes that AWS gives them.

use aws_lc_rs::rand;
use uuid::Builder;

/// A random version 4 UUID, lower case with hyphens: request ids, message ids, event ids.
pub fn uuid() -> String {
    Builder::from_random_bytes(bytes()).into_uuid().to_string()
}

/// `count` random characters of `[a-z0-9]`: the end of a MediaConvert job id, a receipt handle.
pub fn letters(count: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The bias of the remainder (256 mod 36) does no harm: ids must be unique, not secret.
    (0..count)
        .map(|_| char::from(ALPHABET[usize::from(bytes::<1>()[0]) % ALPHABET.len()]))
        .collect()
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "aws-lc reads the kernel's source (getrandom), which has no error once the system has started"
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
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_ne!(id, uuid());
        let tail = letters(6);
        assert!(
            tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{tail}"
        );
    }
}
