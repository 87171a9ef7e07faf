//! Address pools that are lent to a container engine, which gives out their addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_ipam::SubnetRequest;

/// What pools' ids begin with: libnetwork's ids begin with the address space.
const ID_PREFIX: &str = "vswitch";

/// A subnet that is an engine's to give addresses out of, as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LentPool {
    /// What the engine knows it by: `vswitch/SUBNET`, or `vswitch/SUBNET/RANGE`.
    pub id: String,
    /// The subnet; no host bits set.
    pub subnet: IpNet,
    /// The part addresses are given out from when none is asked for.
    #[serde(default)]
    pub range: Option<IpNet>,
    /// How often it has been asked for and not returned.
    pub uses: u32,
    /// The addresses that are lent.
    #[serde(default)]
    pub addresses: BTreeSet<IpAddr>,
}

/// What an engine asks for (libnetwork's `IpamDriver.RequestPool`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LendRequest {
    /// The subnet, or how to choose one.
    pub subnet: SubnetRequest,
    /// A part of an exact subnet, to give addresses out from.
    pub range: Option<IpNet>,
}

/// What has become of a pool that was returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It was asked for more often; its record has changed.
    StillUsed(LentPool),
    /// It is no more.
    Gone(LentPool),
}

impl LentPool {
    /// A pool that was asked for once.
    pub(crate) fn new(subnet: IpNet, range: Option<IpNet>) -> Self {
        Self {
            id: Self::id_of(subnet, range),
            subnet,
            range,
            uses: 1,
            addresses: BTreeSet::new(),
        }
    }

    pub(crate) fn id_of(subnet: IpNet, range: Option<IpNet>) -> String {
        match range {
            None => format!("{ID_PREFIX}/{subnet}"),
            Some(range) => format!("{ID_PREFIX}/{subnet}/{range}"),
        }
    }
}
