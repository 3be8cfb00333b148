//! The pipeline from outside: the built `vod`, the AWS CLI, ffmpeg. Each test has a stack of its own.

mod app;
mod bad_input;
mod captions;
mod crash;
mod duplicates;
mod functions;
mod manage;
mod media;
mod metrics;
mod pipeline;
mod red_team;
mod runtime_api;
mod service;
mod templates;
mod uploads;
