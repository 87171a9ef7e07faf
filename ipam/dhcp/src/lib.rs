//! Addresses from a network's own DHCP server, and whether somebody has an address already.
//!
//! [`Client`] is a DHCPv4 client (RFC 2131): messages and the time in, messages and [`Event`]s out. [`frame`]
//! puts its messages in Ethernet frames. [`conflict`] finds out whether an address is in use before it is used
//! (RFC 5227, RFC 4862), and [`ask`] whether one answers at all. No socket, no clock, no thread.

#![forbid(unsafe_code)]

pub mod ask;
mod chance;
mod client;
pub mod conflict;
pub mod frame;
mod identity;
mod lease;
mod message;
mod neighbour;
mod options;
mod rounds;

pub use client::{Client, Event, Loss, Outgoing, Output, State};
pub use identity::Identity;
pub use lease::Lease;
