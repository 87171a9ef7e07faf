//! The table by its public face: tuples in, endpoints out.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod filtering;
mod host;
mod limits;
mod model;
mod ports;
mod publishing;
mod races;
mod restart;
mod timers;
