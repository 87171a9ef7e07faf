//! The switches of the lab, one file each.

mod kernel_bridge;
mod naive;
mod vswitchd;

pub(super) use kernel_bridge::KernelBridge;
pub(super) use naive::Naive;
pub(super) use vswitchd::Vswitchd;

/// The ends' addresses, of peers that do not give out addresses themselves.
const LEFT: &str = "10.99.0.2";
const RIGHT: &str = "10.99.0.3";
