//! functions/signer
