//! functions/submit
