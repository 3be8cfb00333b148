//! Signer and verifier together: what others made, and what no vector shows.

mod rules;
mod vectors;
