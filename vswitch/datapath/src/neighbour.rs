//! Neighbours: which MAC address has which IP address on a bridge, as ARP and ND say.

use std::net::IpAddr;

use dashmap::DashMap;
use vswitch_packet::{MacAddr, Moment};

use crate::port::PortId;

/// What is known of one IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its MAC address.
    pub mac: MacAddr,
    /// The port it was heard at.
    pub port: PortId,
    /// When it was last confirmed.
    pub confirmed: Moment,
    /// Where this is known from.
    pub origin: Origin,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Configured: an endpoint's assigned address.
    Static,
    /// Heard in ARP or ND.
    Learned,
}

/// The neighbours on one bridge, shared by all workers.
#[derive(Debug, Default)]
pub struct Neighbours {
    table: DashMap<IpAddr, Neighbour>,
}
