//! Network address translation as a plain state machine: frames and the time in, rewritten frames
//! or a [`Refusal`] out. No socket, no clock, no thread.
//!
//! A *mapping* ties an endpoint inside to one outside (RFC 4787 §4.1: whatever it talks to); a
//! *session* is one conversation of a mapping with one remote endpoint.

#![forbid(unsafe_code)]

pub mod ahead;
pub mod config;
pub mod conntrack;
mod endpoint;
mod fragments;
pub mod host_ports;
pub mod ledger;
pub mod nat;
pub mod published;
pub mod refusal;
pub mod session;
mod translate;
pub mod tuple;

pub use ahead::{Direction, Expected};
pub use config::{Config, Filtering, Timeouts};
pub use host_ports::HostPorts;
pub use ledger::{Ledger, Record};
pub use nat::{Admit, Held, Nat, Outbound};
pub use published::{Opening, Publication, Published};
pub use refusal::Refusal;
pub use session::{Counts, SessionRow, State};
pub use tuple::{Owner, Protocol, Tuple};
