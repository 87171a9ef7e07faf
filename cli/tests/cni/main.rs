//! The plugin as runtimes see it: environment, standard input, standard output, exit status.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attaching;
mod delegation;
#[path = "../fake_daemon/mod.rs"]
mod fake_daemon;
mod removing;
mod runtime;
mod switch;
mod versions;
