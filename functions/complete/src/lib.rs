//! functions/complete
