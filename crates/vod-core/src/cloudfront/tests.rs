//! Tests of signer and verifier together: vectors made by other tools, and rules that no vector covers.

mod rules;
pub(super) mod vectors;
