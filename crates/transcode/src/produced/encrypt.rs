//! Encrypts segments (RFC 8216, section 4.3.2.4: AES-128 in CBC mode, padded as in PKCS #7).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use aws_lc_rs::cipher::{AES_128, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use crate::plan::Encryption;

/// Bytes that are encrypted at a time.
const CHUNK: usize = 64 << 10;
/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// Replaces a file by its encrypted form, as the segment with this number.
pub(super) fn file(path: &Path, encryption: &Encryption, number: u128) -> io::Result<()> {
    let failed = |_| io::Error::other("a segment cannot be encrypted");
    let key = UnboundCipherKey::new(&AES_128, &encryption.key.0).map_err(failed)?;
    let vector = FixedLength::from(&encryption.vector_of(number));
    let context = EncryptionContext::Iv128(vector);
    let mut key = StreamingEncryptingKey::less_safe_cbc_pkcs7(key, context).map_err(failed)?;
    let encrypted = path.with_extension("encrypted");
    let (from, mut to) = (File::open(path)?, File::create(&encrypted)?);
    let (mut plain, mut output) = (Vec::with_capacity(CHUNK), vec![0; CHUNK + BLOCK]);
    loop {
        plain.clear();
        (&from).take(CHUNK as u64).read_to_end(&mut plain)?;
        if plain.is_empty() {
            break;
        }
        let update = key.update(&plain, &mut output).map_err(failed)?;
        to.write_all(update.written())?;
    }
    let (_, last) = key.finish(&mut output).map_err(failed)?;
    to.write_all(last.written())?;
    fs::rename(encrypted, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Key;

    #[test]
    fn segments_are_encrypted_as_published_vectors_are() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.ts");
        let hex = |text: &str| {
            let number = u128::from_str_radix(text, 16).expect("is hexadecimal");
            number.to_be_bytes()
        };
        // NIST SP 800-38A, F.2.1: the first block; the padding follows.
        let encryption = Encryption {
            key: Key(hex("2b7e151628aed2a6abf7158809cf4f3c")),
            vector: Some(Key(hex("000102030405060708090a0b0c0d0e0f"))),
            vector_listed: true,
            url: String::new(),
            format: None,
            format_versions: None,
        };
        fs::write(&path, hex("6bc1bee22e409f96e93d7e117393172a")).expect("is written");
        file(&path, &encryption, 1).expect("is encrypted");
        let read = fs::read(&path).expect("is read");
        assert_eq!(read.len(), 32);
        assert_eq!(read[..16], hex("7649abac8119b246cee98e9b12e9197d"));
        for length in [0, 1, CHUNK, CHUNK * 2 + 5] {
            fs::write(&path, vec![7; length]).expect("is written");
            file(&path, &encryption, 1).expect("is encrypted");
            let size = fs::metadata(&path).expect("exists").len();
            assert_eq!(size, (length / 16 * 16 + 16) as u64, "{length}");
        }
    }
}
