//! What is asked of an address space.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::default_pools::BasePool;
use crate::family::Family;

/// A pool to be: its subnet, and what is reserved in it from the start.
///
/// ```
/// use vswitch_ipam::{Family, PoolRequest, SubnetRequest};
///
/// let from_the_defaults = PoolRequest::new(SubnetRequest::Default(Family::V4));
/// let exact = PoolRequest {
///     range: Some("10.0.5.0/24".parse()?),
///     ..PoolRequest::new("10.0.0.0/16".parse::<ipnet::IpNet>()?)
/// };
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRequest {
    /// The subnet, or how to choose one.
    pub subnet: SubnetRequest,
    /// Limits addresses that are given out unasked to this part of an exact subnet (`--ip-range`).
    pub range: Option<IpNet>,
    /// Which address is the gateway's.
    pub gateway: GatewayRequest,
    /// Addresses set aside for what is not an endpoint, by name (`--aux-address`).
    pub aux: BTreeMap<String, IpAddr>,
    /// The link that an exact subnet is of, be it of others already: pools of one link may have the same
    /// subnet, of which each address is in use once.
    pub link: Option<String>,
}

/// How a subnet is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubnetRequest {
    /// This one.
    Exact(IpNet),
    /// The first free one of this size in the default pools.
    Size {
        /// The address family.
        family: Family,
        /// The prefix length.
        prefix: u8,
    },
    /// The next default pool.
    Default(Family),
    /// The first free one of this block, whatever the default pools are.
    FirstOf(BasePool),
}

/// How a gateway is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayRequest {
    /// The first address that is free, in the range where there is one.
    #[default]
    FirstFree,
    /// This one; any usable address of the subnet.
    Address(IpAddr),
    /// The pool has no gateway.
    None,
}

impl PoolRequest {
    /// A pool without range and auxiliary addresses, whose gateway is the first free address.
    #[must_use]
    pub fn new(subnet: impl Into<SubnetRequest>) -> Self {
        Self {
            subnet: subnet.into(),
            range: None,
            gateway: GatewayRequest::default(),
            aux: BTreeMap::new(),
            link: None,
        }
    }
}

impl SubnetRequest {
    /// The family of the subnet to be.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Exact(subnet) => Family::of(subnet),
            Self::Size { family, .. } | Self::Default(family) => family,
            Self::FirstOf(block) => block.family(),
        }
    }
}

/// Reads `--subnet` as Docker does: `0.0.0.0/24` and `::/80` ask for a size, all else is exact.
impl From<IpNet> for SubnetRequest {
    fn from(subnet: IpNet) -> Self {
        if subnet.addr().is_unspecified() {
            Self::Size {
                family: Family::of(subnet),
                prefix: subnet.prefix_len(),
            }
        } else {
            Self::Exact(subnet)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SubnetRequest {
        text.parse::<IpNet>().unwrap().into()
    }

    #[test]
    fn the_unspecified_address_asks_for_a_size() {
        let size = |family, prefix| SubnetRequest::Size { family, prefix };
        assert_eq!(read("0.0.0.0/24"), size(Family::V4, 24));
        assert_eq!(read("::/80"), size(Family::V6, 80));
        assert_eq!(
            read("10.0.0.0/24"),
            SubnetRequest::Exact("10.0.0.0/24".parse().unwrap())
        );
    }
}
