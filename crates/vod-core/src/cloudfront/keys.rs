//! The two kinds of keys that CloudFront takes: ECDSA P-256 and RSA-2048.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};

use super::key_error::KeyError;
use super::pem;

/// Bytes of the modulus of the only RSA size that CloudFront takes.
const RSA_BYTES: usize = 256;

/// The kind of a key. Named as in JOSE, which is how the signing secret spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA over P-256, signatures in ASN.1 DER.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA-2048, PKCS#1 v1.5.
    #[serde(rename = "RS256")]
    Rs256,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        })
    }
}

/// The hash under a signature. CloudFront assumes SHA-1 unless `Hash-Algorithm` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// Verified only; we never sign with it.
    Sha1,
    /// `Hash-Algorithm=SHA256`.
    Sha256,
}

impl Hash {
    /// Reads the value of `Hash-Algorithm`; empty is SHA-1, and the case does not matter.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "" | "SHA1" => Some(Self::Sha1),
            "SHA256" => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The value of `Hash-Algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// A private key, parsed once. `Debug` shows its kind only.
pub struct SigningKey(Private);

enum Private {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Reads PKCS#8 (`PRIVATE KEY`), SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        const EXPECTED: &str = "PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY";
        let (label, der) = pem::decode(text)?;
        let key = match label {
            "PRIVATE KEY" => ecdsa(&der).or_else(|| RsaKeyPair::from_pkcs8(&der).ok().map(boxed_rsa)),
            "EC PRIVATE KEY" => ecdsa(&der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok().map(boxed_rsa),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            other => {
                return Err(KeyError::Kind {
                    found: other.to_owned(),
                    expected: EXPECTED,
                });
            }
        };
        match key.ok_or_else(|| KeyError::Content {
            found: label.to_owned(),
        })? {
            Private::Rsa(pair) if pair.public_modulus_len() != RSA_BYTES => {
                Err(KeyError::RsaSize(pair.public_modulus_len() * 8))
            }
            key => Ok(Self(key)),
        }
    }

    /// The kind of the key.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Private::Ecdsa(_) => Algorithm::Es256,
            Private::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// Signs the SHA-256 of `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.0 {
            Private::Ecdsa(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .ok(),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .is_ok()
                    .then_some(signature)
            }
        }
        .ok_or(KeyError::Signing)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

fn ecdsa(der: &[u8]) -> Option<Private> {
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?;
    Some(Private::Ecdsa(Box::new(pair)))
}

fn boxed_rsa(pair: RsaKeyPair) -> Private {
    Private::Rsa(Box::new(pair))
}

/// A public key, parsed once for either hash.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

impl PublicKey {
    /// Reads SPKI (`PUBLIC KEY`), the only form that CloudFront takes.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (label, der) = pem::decode(text)?;
        if label != "PUBLIC KEY" {
            return Err(KeyError::Kind {
                found: label.to_owned(),
                expected: "PUBLIC KEY (spki)",
            });
        }
        if let Some(key) = Self::parse(Algorithm::Es256, &der) {
            return Ok(key);
        }
        let key = Self::parse(Algorithm::Rs256, &der).ok_or_else(|| KeyError::Content {
            found: label.to_owned(),
        })?;
        match rsa_bytes(&der) {
            Some(RSA_BYTES) => Ok(key),
            other => Err(KeyError::RsaSize(other.unwrap_or_default() * 8)),
        }
    }

    fn parse(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        let (sha1, sha256): (
            &'static dyn VerificationAlgorithm,
            &'static dyn VerificationAlgorithm,
        ) = match algorithm {
            Algorithm::Es256 => (&ECDSA_P256_SHA1_ASN1, &ECDSA_P256_SHA256_ASN1),
            Algorithm::Rs256 => (
                &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                &RSA_PKCS1_2048_8192_SHA256,
            ),
        };
        Some(Self {
            algorithm,
            sha1: ParsedPublicKey::new(sha1, der).ok()?,
            sha256: ParsedPublicKey::new(sha256, der).ok()?,
        })
    }

    /// The kind of the key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's, over the `hash` of `message`.
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let key = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

/// Bytes of the modulus: the library has no accessor for it, but writes `SEQUENCE { INTEGER n, … }` back in
/// canonical DER, where `n` from 1024 bits on has a two-byte length, and a leading zero as its top bit is set.
fn rsa_bytes(spki: &[u8]) -> Option<usize> {
    let key = rsa::PublicKey::from_der(spki).ok()?;
    match key.as_ref() {
        [0x30, 0x82, _, _, 0x02, 0x82, high, low, 0, ..] => {
            Some(usize::from(u16::from_be_bytes([*high, *low])) - 1)
        }
        _ => None,
    }
}
