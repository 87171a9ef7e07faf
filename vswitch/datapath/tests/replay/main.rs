//! Frames in at ports; what comes out of each port, and every counter, asserted.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing fails")]

mod bench;
mod capture;
mod counters;
mod crafted;
mod datagrams;
mod host;
mod outputs;
mod outside;
mod station;
mod tap_frame;
mod wire;

mod captures;
mod coalescing;
mod conservation;
mod conversations;
mod flooding;
mod flow_order;
mod gateway;
mod hostile_offload;
mod lan;
mod learning;
mod mtu;
mod overlay;
mod router;
mod segmentation;
mod send_errors;
mod snooping;
mod spoofing;
mod together;
mod vlans;
