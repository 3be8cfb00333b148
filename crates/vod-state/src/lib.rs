//! The files of a state folder that programs other than `vod up` use: `endpoints.json` says where a running stack is, and
//! `secrets.json` holds its keys. Both are a contract, see ARCHITECTURE.md. Also makes such keys and the tokens signed with them.

pub mod endpoints;
pub mod keys;
pub mod secrets;
mod token;

pub use self::token::{Grant, token};
