//! Errors of keys.

/// A reason why a key cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// No PEM block, or its content is not base64.
    #[error("not a pem block (-----BEGIN …)")]
    NotPem,
    /// A key under a passphrase.
    #[error("the key is encrypted; store it without a passphrase")]
    Encrypted,
    /// A block of another kind.
    #[error("found `{found}` where {expected} is expected")]
    Kind {
        /// The label of the block that was found.
        found: String,
        /// The accepted kinds.
        expected: &'static str,
    },
    /// The block's label is right and its content is not.
    #[error("found `{found}`, but it holds neither an ecdsa p-256 nor an rsa-2048 key")]
    Content {
        /// The label of the block that was found.
        found: String,
    },
    /// RSA, but not 2048 bits.
    #[error("found an rsa key of {0} bits; CloudFront takes 2048")]
    RsaSize(usize),
    /// The crypto library refused to sign.
    #[error("signing failed")]
    Signing,
}
