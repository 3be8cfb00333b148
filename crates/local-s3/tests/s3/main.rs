//! The real SDK against the local S3, over a real socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod conditional;
mod crash;
mod digests;
mod events;
mod http;
mod listing;
mod logs;
mod meter;
mod multipart;
mod objects;
mod red_team;
mod server;
