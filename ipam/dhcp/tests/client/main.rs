//! The client against servers that follow a script, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod answers;
mod disorder;
mod server;
mod transitions;
