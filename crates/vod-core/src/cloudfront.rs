//! CloudFront signed URLs and signed cookies: making them and, with CloudFront's own rules, checking them.
//!
//! The rules are those of the CloudFront developer guide ("Serve private content with signed URLs and signed
//! cookies"). We sign with SHA-256 only; the verifier also takes SHA-1, which other signers still make.
//! Nothing here reads a clock: `now` is always a parameter, in seconds since the epoch.

pub mod encoding;
mod key_error;
mod keyring;
mod keys;
mod pem;
mod policy;
mod resource;
pub mod ring;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use key_error::KeyError;
pub use keyring::{Keyring, KeyringError, PublicKeys};
pub use keys::{Algorithm, Hash, PublicKey, SigningKey};
pub use policy::{LATEST_EPOCH, Network, Policy, PolicyError, canned};
pub use sign::{Canned, Signature, sign, sign_canned};
pub use verify::{Denied, Reason, Request, Verified, verify, without_signature};

/// The query parameters that belong to CloudFront: a URL with any of them counts as signed, and none of them
/// reaches an origin behind a behavior with trusted keys.
pub const PARAMETERS: [&str; 5] = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];

/// Prefix of the cookies' names; the rest is a name of [`PARAMETERS`].
pub const COOKIE_PREFIX: &str = "CloudFront-";
