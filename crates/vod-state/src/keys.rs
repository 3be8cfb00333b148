//! New secrets and signing keys.

use anyhow::anyhow;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::fill;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::RingKey;

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(bytes)
}

/// A random secret of 256 bits, as 64 hexadecimal digits.
pub fn random_hex() -> anyhow::Result<String> {
    Ok(hex::encode(random::<32>()?))
}

/// A new key pair as one entry of the signing secret.
pub fn signing_key(id: String, algorithm: Algorithm) -> anyhow::Result<RingKey> {
    let failed = |_| anyhow!("failed to make a signing key");
    let (private, public): (Vec<u8>, PublicKeyX509Der<'_>) = match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
            let private = pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec();
            (private, pair.public_key().as_der().map_err(failed)?)
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            (
                private.as_ref().to_vec(),
                pair.public_key().as_der().map_err(failed)?,
            )
        }
    };
    Ok(RingKey {
        id,
        algorithm,
        private_pem: Some(pem("PRIVATE KEY", &private)),
        public_pem: pem("PUBLIC KEY", public.as_ref()),
    })
}

/// RFC 7468: base64 in lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use vod_core::cloudfront::Keyring;
    use vod_core::cloudfront::ring::Ring;

    use super::*;

    #[test]
    fn keys_of_both_kinds_sign() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let mut ring = Ring::empty();
            ring.add(signing_key("K2TEST".to_owned(), algorithm).unwrap());
            let keyring = Keyring::from_json(&serde_json::to_string(&ring).unwrap()).unwrap();
            assert_eq!(keyring.signing_key().algorithm(), algorithm);
        }
        assert_eq!(random_hex().unwrap().len(), 64);
    }
}
