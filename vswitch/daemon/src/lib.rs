//! `vswitchd`: the control side of the switch, from the API's socket to the workers.
//!
//! Start with [`daemon::run`]. Commands come in by [`http`], are carried out by [`control`], are kept
//! by [`store`], are told to the kernel by [`edge`], and to the workers by way of [`dataplane`].

#![forbid(unsafe_code)]

pub mod activation;
pub mod config;
pub mod control;
pub mod daemon;
pub mod daemon_id;
pub mod dataplane;
pub mod docker;
pub mod edge;
pub mod held_ports;
pub mod host_watch;
pub mod http;
pub mod leases;
pub mod local_ports;
pub mod log;
pub mod metrics;
pub mod outside;
pub mod panics;
pub mod parents;
pub mod plugins;
pub mod predecessor;
pub mod privilege;
pub mod session_ledger;
pub mod state_dir;
pub mod store;
pub mod version;
