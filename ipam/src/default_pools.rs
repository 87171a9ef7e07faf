//! Where subnets come from when none is given.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::error::SubnetError;
use crate::family::Family;
use crate::span::Span;
use crate::subnet::check_subnet;
use crate::ula::ula_prefix;

/// A block of addresses, and the prefix length of the subnets it is split into
/// (`--default-address-pool base=…,size=…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasePool {
    base: IpNet,
    size: u8,
}

/// The blocks subnets are taken from, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultPools {
    bases: Vec<BasePool>,
}

/// Docker's local pools: 31 networks.
const DOCKER_V4: [BasePool; 7] = [
    base_v4([172, 17, 0, 0], 16, 16),
    base_v4([172, 18, 0, 0], 16, 16),
    base_v4([172, 19, 0, 0], 16, 16),
    base_v4([172, 20, 0, 0], 14, 16),
    base_v4([172, 24, 0, 0], 14, 16),
    base_v4([172, 28, 0, 0], 14, 16),
    base_v4([192, 168, 0, 0], 16, 20),
];

/// The size of a subnet out of a host's unique local prefix, as SLAAC wants it.
const ULA_SUBNET_PREFIX: u8 = 64;

impl BasePool {
    /// Docker's for networks of a swarm: 10.0.0.0/8 in /24s.
    pub const SWARM: Self = base_v4([10, 0, 0, 0], 8, 24);

    /// `base`, split into subnets of prefix length `size`.
    ///
    /// # Errors
    /// [`SubnetError`] if `base` cannot be a subnet, or cannot be split that way.
    pub fn new(base: IpNet, size: u8) -> Result<Self, SubnetError> {
        check_subnet(base)?;
        if (base.prefix_len()..=base.max_prefix_len()).contains(&size) {
            Ok(Self { base, size })
        } else {
            Err(SubnetError::BlockSize { base, size })
        }
    }

    /// The same block in subnets of prefix length `size`.
    ///
    /// # Errors
    /// [`SubnetError::BlockSize`] if it cannot be split that way.
    pub fn in_pieces_of(self, size: u8) -> Result<Self, SubnetError> {
        Self::new(self.base, size)
    }

    /// The family of its subnets.
    #[must_use]
    pub const fn family(self) -> Family {
        Family::of(self.base)
    }

    /// The whole block.
    pub(crate) const fn base(self) -> IpNet {
        self.base
    }

    /// The prefix length of its subnets.
    pub(crate) const fn size(self) -> u8 {
        self.size
    }

    /// The first of its subnets that overlaps nothing in `taken`.
    pub(crate) fn next(self, taken: &[IpNet]) -> Option<IpNet> {
        first_free_block(self.base, self.size, &spans(self.family(), taken))
    }
}

impl DefaultPools {
    /// Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in /20s, and for IPv6 the /64s
    /// of [`ula_prefix`].
    #[must_use]
    pub fn docker(host_id_hash: u64) -> Self {
        Self::configured(Vec::new(), host_id_hash)
    }

    /// The blocks given, in their order; a family without any keeps Docker's.
    #[must_use]
    pub fn configured(mut bases: Vec<BasePool>, host_id_hash: u64) -> Self {
        let lacks = |family| !bases.iter().any(|pool| Family::of(pool.base) == family);
        let (lacks_v4, lacks_v6) = (lacks(Family::V4), lacks(Family::V6));
        if lacks_v4 {
            bases.extend(DOCKER_V4);
        }
        if lacks_v6 {
            bases.push(BasePool {
                base: IpNet::V6(ula_prefix(host_id_hash)),
                size: ULA_SUBNET_PREFIX,
            });
        }
        Self { bases }
    }

    /// The first default pool of `family` that overlaps nothing in `taken`.
    pub(crate) fn next(&self, family: Family, taken: &[IpNet]) -> Option<IpNet> {
        self.first_free(family, taken, |pool| pool.size)
    }

    /// The first subnet with prefix length `prefix` in the default pools of `family` that overlaps
    /// nothing in `taken`.
    pub(crate) fn next_of_size(
        &self,
        family: Family,
        prefix: u8,
        taken: &[IpNet],
    ) -> Option<IpNet> {
        self.first_free(family, taken, |_| prefix)
    }

    fn first_free(
        &self,
        family: Family,
        taken: &[IpNet],
        size: impl Fn(&BasePool) -> u8,
    ) -> Option<IpNet> {
        let taken = spans(family, taken);
        self.bases
            .iter()
            .filter(|pool| Family::of(pool.base) == family)
            .find_map(|pool| first_free_block(pool.base, size(pool), &taken))
    }
}

/// The nets of `family` as spans, in their order.
fn spans(family: Family, nets: &[IpNet]) -> Vec<Span> {
    let mut spans: Vec<Span> = nets
        .iter()
        .filter(|net| Family::of(**net) == family)
        .map(|net| Span::of(*net))
        .collect();
    spans.sort_unstable();
    spans
}

/// The first block of `base` with prefix length `prefix` that overlaps no span in `taken`, which is
/// sorted.
///
/// Passes over `taken` once, so a /8 in small pieces costs no more than a few large ones.
fn first_free_block(base: IpNet, prefix: u8, taken: &[Span]) -> Option<IpNet> {
    let family = Family::of(base);
    if prefix < base.prefix_len() {
        return None;
    }
    let size = 1_u128.checked_shl(u32::from(family.bits().checked_sub(prefix)?))?;
    let Span { mut first, last } = Span::of(base);
    for span in taken {
        if span.first > first + (size - 1) {
            break;
        }
        if span.last >= first {
            first = span.last.checked_add(1)?.checked_next_multiple_of(size)?;
        }
        if first > last {
            return None;
        }
    }
    IpNet::new(family.address(first), prefix).ok()
}

const fn base_v4([a, b, c, d]: [u8; 4], prefix: u8, size: u8) -> BasePool {
    BasePool {
        base: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)),
        size,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::subnet::overlap;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// Takes default pools until none is left.
    fn all(pools: &DefaultPools, family: Family, mut taken: Vec<IpNet>) -> Vec<IpNet> {
        let occupied = taken.len();
        while let Some(subnet) = pools.next(family, &taken) {
            taken.push(subnet);
        }
        taken.split_off(occupied)
    }

    #[test]
    fn docker_has_thirty_one_networks_in_order() {
        let subnets = all(&DefaultPools::docker(0), Family::V4, Vec::new());
        let expected: Vec<IpNet> = (17..32)
            .map(|second| net(&format!("172.{second}.0.0/16")))
            .chain((0..16).map(|block| net(&format!("192.168.{}.0/20", block * 16))))
            .collect();
        assert_eq!(subnets, expected);
    }

    #[test]
    fn ipv6_comes_from_the_hosts_own_prefix() {
        let pools = DefaultPools::docker(0x12_3456_789a);
        assert_eq!(
            pools.next(Family::V6, &[]),
            Some(net("fd12:3456:789a::/64"))
        );
        assert_eq!(
            pools.next(Family::V6, &[net("fd12:3456:789a::/63")]),
            Some(net("fd12:3456:789a:2::/64"))
        );
    }

    #[test]
    fn routes_are_stepped_around() {
        let routes = ["172.17.3.0/24", "172.18.0.0/15", "192.168.0.0/16"].map(net);
        let subnets = all(&DefaultPools::docker(0), Family::V4, routes.to_vec());
        assert_eq!(subnets.len(), 12);
        assert_eq!(subnets[0], net("172.20.0.0/16"));
    }

    #[test]
    fn a_size_is_found_in_the_first_base_with_room() {
        let pools = DefaultPools::docker(0);
        let size = |prefix, taken: &[IpNet]| pools.next_of_size(Family::V4, prefix, taken);
        assert_eq!(size(24, &[]), Some(net("172.17.0.0/24")));
        assert_eq!(
            size(24, &[net("172.17.0.7/32")]),
            Some(net("172.17.1.0/24"))
        );
        assert_eq!(size(14, &[]), Some(net("172.20.0.0/14")));
        assert_eq!(size(13, &[]), None);
        assert_eq!(size(0, &[]), None);
        assert_eq!(size(33, &[]), None);
        assert_eq!(pools.next_of_size(Family::V6, 0, &[]), None);
        assert_eq!(
            pools.next_of_size(Family::V6, 80, &[]),
            Some(net("fd00::/80"))
        );
    }

    #[test]
    fn configured_pools_replace_those_of_their_family_alone() {
        let base = BasePool::new(net("10.9.0.0/23"), 24).unwrap();
        let pools = DefaultPools::configured(vec![base], 1);
        assert_eq!(
            all(&pools, Family::V4, Vec::new()),
            ["10.9.0.0/24", "10.9.1.0/24"].map(net)
        );
        assert_eq!(pools.next(Family::V6, &[]), Some(net("fd00:0:1::/64")));
    }

    #[test]
    fn a_base_must_be_splittable() {
        assert!(BasePool::new(net("10.0.0.0/16"), 16).is_ok());
        assert!(BasePool::new(net("10.0.0.0/16"), 33).is_err());
        assert!(BasePool::new(net("10.0.0.1/16"), 24).is_err());
        assert_eq!(
            BasePool::new(net("10.0.0.0/16"), 8)
                .unwrap_err()
                .to_string(),
            "default pool 10.0.0.0/16 cannot be split into /8; choose a size from 16 to 32"
        );
    }

    proptest! {
        #[test]
        fn the_block_found_is_the_first_that_overlaps_nothing(
            taken in prop::collection::vec((0..512_u32, 22..=32_u8), 0..24),
            prefix in 23..=29_u8,
        ) {
            let base = net("10.0.0.0/23");
            let taken: Vec<IpNet> = taken
                .into_iter()
                .map(|(offset, prefix)| {
                    let address = Ipv4Addr::from_bits(0x0a00_0000 + offset);
                    IpNet::V4(Ipv4Net::new_assert(address, prefix))
                })
                .collect();
            let expected = base
                .subnets(prefix)
                .unwrap()
                .find(|block| !taken.iter().any(|net| overlap(*block, *net)));
            let pools = DefaultPools { bases: vec![BasePool { base, size: 24 }] };
            prop_assert_eq!(pools.next_of_size(Family::V4, prefix, &taken), expected);
        }
    }
}
