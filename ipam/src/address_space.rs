//! The pools of one host's networks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocation::AllocationOrder;
use crate::default_pools::DefaultPools;
use crate::error::PoolError;
use crate::pool::Pool;
use crate::request::{GatewayRequest, PoolRequest, SubnetRequest};
use crate::subnet::{check_subnet, overlap};

/// Pools, each held by an owner. Their subnets have no address in common, unless they are the same on one
/// link; then each address is in use in one of the pools at most, but for what several set aside.
///
/// So a pool is known by its owner and its subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpace {
    name: String,
    defaults: DefaultPools,
    subnets: BTreeMap<IpNet, Shares>,
}

/// The pools of one subnet by owner: one, or several on one link.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shares {
    link: Option<String>,
    pools: BTreeMap<String, Pool>,
}

impl AddressSpace {
    /// A space without pools, which takes subnets nobody chose from `defaults`.
    #[must_use]
    pub fn new(name: impl Into<String>, defaults: DefaultPools) -> Self {
        Self {
            name: name.into(),
            defaults,
            subnets: BTreeMap::new(),
        }
    }

    /// The name messages know it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a pool for `owner`, a network's name for instance, with its gateway and auxiliary
    /// addresses in use. Those named in the request go before a gateway that is the first free one.
    ///
    /// `occupied` is what the host routes elsewhere. Default routes in it do not count, as they
    /// overlap everything; nor should the caller pass routes that exist because of this very pool. An exact
    /// subnet of a link may be what the host routes to that link, so nothing counts there.
    ///
    /// # Errors
    /// [`PoolError`]; the space is then as before.
    pub fn request(
        &mut self,
        owner: &str,
        request: &PoolRequest,
        occupied: &[IpNet],
    ) -> Result<&Pool, PoolError> {
        let subnet = self.choose_subnet(owner, request, occupied)?;
        let shares = self.subnets.get(&subnet);
        let others: Vec<&Pool> = shares.iter().flat_map(|s| s.pools.values()).collect();
        let pool = open(subnet, request, &others)?;
        let shares = self.subnets.entry(subnet).or_insert_with(|| Shares {
            link: request.link.clone(),
            pools: BTreeMap::new(),
        });
        let entry = shares.pools.entry(owner.to_owned());
        Ok(entry.insert_entry(pool).into_mut())
    }

    /// Gives up the pool of `owner` with this subnet, and returns it as it was.
    ///
    /// # Errors
    /// [`PoolError::Unknown`] if there is none.
    pub fn release(&mut self, owner: &str, subnet: IpNet) -> Result<Pool, PoolError> {
        let shares = self.subnets.get_mut(&subnet);
        let Some(pool) = shares.and_then(|shares| shares.pools.remove(owner)) else {
            return Err(unknown(subnet, &self.name));
        };
        self.subnets.retain(|_, shares| !shares.pools.is_empty());
        Ok(pool)
    }

    /// The pool of `owner` with exactly this subnet.
    ///
    /// # Errors
    /// [`PoolError::Unknown`] if there is none.
    pub fn pool(&self, owner: &str, subnet: IpNet) -> Result<&Pool, PoolError> {
        let shares = self.subnets.get(&subnet);
        shares
            .and_then(|shares| shares.pools.get(owner))
            .ok_or_else(|| unknown(subnet, &self.name))
    }

    /// Gives out an address as [`Pool::allocate`], free in all pools of the subnet.
    ///
    /// # Errors
    /// [`PoolError::Unknown`]; what [`Pool::allocate`] refuses.
    pub fn allocate(
        &mut self,
        owner: &str,
        subnet: IpNet,
        order: AllocationOrder,
    ) -> Result<IpAddr, PoolError> {
        let (pool, others) = self.pool_and_others(owner, subnet)?;
        Ok(pool.allocate_beside(order, &others)?)
    }

    /// Takes an address as [`Pool::reserve`], if it is free in all pools of the subnet.
    ///
    /// # Errors
    /// [`PoolError::Unknown`]; what [`Pool::reserve`] refuses, by whoever holds the address.
    pub fn reserve(
        &mut self,
        owner: &str,
        subnet: IpNet,
        address: IpAddr,
    ) -> Result<(), PoolError> {
        let (pool, others) = self.pool_and_others(owner, subnet)?;
        pool.check_free(address)?;
        for other in others {
            other.check_free(address)?;
        }
        Ok(pool.reserve(address)?)
    }

    /// Frees an address as [`Pool::release`].
    ///
    /// # Errors
    /// [`PoolError::Unknown`]; what [`Pool::release`] refuses.
    pub fn free(&mut self, owner: &str, subnet: IpNet, address: IpAddr) -> Result<(), PoolError> {
        let (pool, _) = self.pool_and_others(owner, subnet)?;
        Ok(pool.release(address)?)
    }

    /// Every pool with its owner, in order of subnets and owners.
    pub fn pools(&self) -> impl Iterator<Item = (&str, &Pool)> {
        let shares = self.subnets.values();
        shares.flat_map(|shares| {
            let pools = shares.pools.iter();
            pools.map(|(owner, pool)| (owner.as_str(), pool))
        })
    }

    fn pool_and_others(
        &mut self,
        owner: &str,
        subnet: IpNet,
    ) -> Result<(&mut Pool, Vec<&Pool>), PoolError> {
        let mut own = None;
        let mut others = Vec::new();
        let shares = self.subnets.get_mut(&subnet);
        for (holder, pool) in shares.into_iter().flat_map(|shares| &mut shares.pools) {
            if holder == owner {
                own = Some(pool);
            } else {
                others.push(&*pool);
            }
        }
        match own {
            Some(own) => Ok((own, others)),
            None => Err(unknown(subnet, &self.name)),
        }
    }

    fn choose_subnet(
        &self,
        owner: &str,
        request: &PoolRequest,
        occupied: &[IpNet],
    ) -> Result<IpNet, PoolError> {
        let routes = || occupied.iter().filter(|route| route.prefix_len() > 0);
        let taken = || {
            routes()
                .chain(self.subnets.keys())
                .copied()
                .collect::<Vec<_>>()
        };
        match (request.subnet, request.range) {
            (SubnetRequest::Exact(subnet), _) => {
                check_subnet(subnet)?;
                self.check_disjoint(owner, subnet, request)?;
                let in_the_way = routes().find(|route| overlap(**route, subnet));
                match in_the_way.filter(|_| request.link.is_none()) {
                    Some(&route) => Err(PoolError::OverlapsRoute { subnet, route }),
                    None => Ok(subnet),
                }
            }
            (_, Some(range)) => Err(PoolError::RangeWithoutSubnet { range }),
            (SubnetRequest::Size { family, prefix }, None) => self
                .defaults
                .next_of_size(family, prefix, &taken())
                .ok_or(PoolError::NoBlockOfSize { family, prefix }),
            (SubnetRequest::Default(family), None) => self
                .defaults
                .next(family, &taken())
                .ok_or(PoolError::DefaultsExhausted { family }),
            (SubnetRequest::FirstOf(block), None) => {
                block.next(&taken()).ok_or(PoolError::BlockExhausted {
                    base: block.base(),
                    size: block.size(),
                })
            }
        }
    }

    fn check_disjoint(
        &self,
        owner: &str,
        subnet: IpNet,
        request: &PoolRequest,
    ) -> Result<(), PoolError> {
        let Some((&other, shares)) = self
            .subnets
            .iter()
            .find(|(other, _)| overlap(**other, subnet))
        else {
            return Ok(());
        };
        let shared = request.link.is_some() && request.link == shares.link;
        if shared && other == subnet && !shares.pools.contains_key(owner) {
            return Ok(());
        }
        let ranged = |pool: &Pool| pool.range() == request.range;
        let same = other == subnet && shares.pools.values().any(ranged);
        let owners: Vec<&str> = shares.pools.keys().map(String::as_str).collect();
        let owner = owners.join(", ");
        Err(match (shared && other != subnet, same) {
            (true, _) => PoolError::OverlapsOnLink {
                subnet,
                other,
                owner,
            },
            (false, true) => PoolError::AlreadyRequested { subnet, owner },
            (false, false) => PoolError::OverlapsPool {
                subnet,
                other,
                owner,
            },
        })
    }
}

/// A pool whose addresses are in use by none of the `others`, which have the same subnet; what several set
/// aside, a gateway for instance, is the same thing.
fn open(subnet: IpNet, request: &PoolRequest, others: &[&Pool]) -> Result<Pool, PoolError> {
    let mut pool = Pool::new(subnet, request.range)?;
    for (name, &address) in &request.aux {
        pool.reserve_aux(name, address)?;
    }
    match request.gateway {
        GatewayRequest::FirstFree => {
            let first = pool
                .clone()
                .allocate_beside(AllocationOrder::LowestFree, others)?;
            pool.assign_gateway(GatewayRequest::Address(first))?;
        }
        given => {
            pool.assign_gateway(given)?;
        }
    }
    for address in pool.set_aside() {
        for other in others {
            if !other.set_aside().any(|held| held == address) {
                other.check_free(address)?;
            }
        }
    }
    Ok(pool)
}

fn unknown(subnet: IpNet, space: &str) -> PoolError {
    PoolError::Unknown {
        subnet,
        space: space.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::default_pools::BasePool;
    use crate::error::{AddressError, SubnetError};
    use crate::family::Family;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn space() -> AddressSpace {
        AddressSpace::new("local", DefaultPools::docker(0))
    }

    fn exact(subnet: &str) -> PoolRequest {
        PoolRequest::new(net(subnet))
    }

    fn default_v4() -> PoolRequest {
        PoolRequest::new(SubnetRequest::Default(Family::V4))
    }

    /// The subnet given, or the whole message of the refusal.
    fn outcome(
        space: &mut AddressSpace,
        request: &PoolRequest,
        occupied: &[IpNet],
    ) -> Result<String, String> {
        match space.request("new", request, occupied) {
            Ok(pool) => Ok(pool.subnet().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn defaults_come_in_order_until_none_is_left() {
        let mut space = space();
        for second in 17..32 {
            assert_eq!(
                outcome(&mut space, &default_v4(), &[]),
                Ok(format!("172.{second}.0.0/16"))
            );
        }
        for block in 0..16 {
            assert_eq!(
                outcome(&mut space, &default_v4(), &[]),
                Ok(format!("192.168.{}.0/20", block * 16))
            );
        }
        assert!(matches!(
            space.request("new", &default_v4(), &[]),
            Err(PoolError::DefaultsExhausted { family: Family::V4 })
        ));
        space.release("new", net("172.20.0.0/16")).unwrap();
        assert_eq!(
            outcome(&mut space, &default_v4(), &[]),
            Ok("172.20.0.0/16".to_owned())
        );
    }

    #[test]
    fn defaults_avoid_routes_and_explicit_pools() {
        let mut space = space();
        space.request("web", &exact("172.18.4.0/24"), &[]).unwrap();
        let routes = ["0.0.0.0/0", "::/0", "172.17.200.0/24"].map(net);
        assert_eq!(
            outcome(&mut space, &default_v4(), &routes),
            Ok("172.19.0.0/16".to_owned())
        );
    }

    #[test]
    fn a_size_comes_from_the_default_pools() {
        let mut space = space();
        let size = PoolRequest::new(net("0.0.0.0/24"));
        let next = |space: &mut AddressSpace| outcome(space, &size, &[]);
        assert_eq!(next(&mut space), Ok("172.17.0.0/24".to_owned()));
        assert_eq!(next(&mut space), Ok("172.17.1.0/24".to_owned()));
        assert_eq!(
            outcome(&mut space, &PoolRequest::new(net("::/80")), &[]),
            Ok("fd00::/80".to_owned())
        );
        assert!(matches!(
            space.request("new", &PoolRequest::new(net("0.0.0.0/8")), &[]),
            Err(PoolError::NoBlockOfSize { prefix: 8, .. })
        ));
    }

    #[test]
    fn a_block_of_ones_own_is_used_up_in_order() {
        let mut space = space();
        let block = BasePool::SWARM.in_pieces_of(9).unwrap();
        let first = PoolRequest::new(SubnetRequest::FirstOf(BasePool::SWARM));
        let half = PoolRequest::new(SubnetRequest::FirstOf(block));
        let routes = ["0.0.0.0/0", "10.0.0.0/24"].map(net);
        let mut next = |request: &PoolRequest| outcome(&mut space, request, &routes);
        assert_eq!(next(&first), Ok("10.0.1.0/24".to_owned()));
        assert_eq!(next(&first), Ok("10.0.2.0/24".to_owned()));
        assert_eq!(next(&half), Ok("10.128.0.0/9".to_owned()));
        assert_eq!(
            next(&half),
            Err(
                "no free /9 is left in 10.0.0.0/8; remove unused networks, or give --subnet"
                    .to_owned()
            )
        );
    }

    #[test]
    fn overlaps_are_refused_by_name() {
        let mut space = space();
        space.request("web", &exact("10.1.2.0/24"), &[]).unwrap();
        for (subnet, expected) in [
            (
                "10.1.0.0/16",
                "subnet 10.1.0.0/16 overlaps 10.1.2.0/24 of pool web; choose another, or remove web",
            ),
            (
                "10.1.2.128/25",
                "subnet 10.1.2.128/25 overlaps 10.1.2.0/24 of pool web; choose another, or remove \
                 web",
            ),
            (
                "10.1.2.0/24",
                "subnet 10.1.2.0/24 is already in use by web; choose another, or remove web",
            ),
        ] {
            assert_eq!(
                outcome(&mut space, &exact(subnet), &[]),
                Err(expected.to_owned())
            );
        }
        assert!(outcome(&mut space, &exact("10.1.3.0/24"), &[]).is_ok());
    }

    #[test]
    fn a_repeat_is_told_from_an_overlap_by_its_range() {
        let mut space = space();
        let ranged = |range: &str| PoolRequest {
            range: Some(net(range)),
            ..exact("10.1.0.0/16")
        };
        space.request("web", &ranged("10.1.2.0/24"), &[]).unwrap();
        assert!(matches!(
            space.request("new", &ranged("10.1.2.0/24"), &[]),
            Err(PoolError::AlreadyRequested { .. })
        ));
        assert!(matches!(
            space.request("new", &ranged("10.1.3.0/24"), &[]),
            Err(PoolError::OverlapsPool { .. })
        ));
    }

    #[test]
    fn a_route_in_the_way_is_named_and_a_default_route_is_not_in_the_way() {
        let mut space = space();
        let routes = ["0.0.0.0/0", "192.0.2.0/24", "10.0.0.0/9"].map(net);
        assert_eq!(
            outcome(&mut space, &exact("10.1.0.0/16"), &routes),
            Err(
                "subnet 10.1.0.0/16 overlaps the host's route to 10.0.0.0/9; choose another"
                    .to_owned()
            )
        );
        assert!(outcome(&mut space, &exact("10.128.0.0/16"), &routes).is_ok());
    }

    #[test]
    fn families_do_not_meet() {
        let mut space = space();
        space.request("web", &exact("10.0.0.0/8"), &[]).unwrap();
        // As a number, 10.0.0.0 is ::a00:0.
        assert!(outcome(&mut space, &exact("::a00:0/104"), &[]).is_ok());
    }

    #[test]
    fn a_range_needs_an_exact_subnet() {
        let request = PoolRequest {
            range: Some(net("172.17.5.0/24")),
            ..default_v4()
        };
        assert!(matches!(
            space().request("new", &request, &[]),
            Err(PoolError::RangeWithoutSubnet { .. })
        ));
    }

    #[test]
    fn a_refused_request_changes_nothing() {
        let mut space = space();
        let before = space.clone();
        let gateway_is_broadcast = PoolRequest {
            gateway: GatewayRequest::Address(ip("10.0.0.255")),
            ..exact("10.0.0.0/24")
        };
        assert!(matches!(
            space.request("new", &gateway_is_broadcast, &[]),
            Err(PoolError::Address(AddressError::Reserved { .. }))
        ));
        assert!(matches!(
            space.request("new", &exact("10.0.0.5/24"), &[]),
            Err(PoolError::Subnet(SubnetError::HostBits { .. }))
        ));
        assert_eq!(space, before);
    }

    #[test]
    fn auxiliary_addresses_go_before_a_gateway_nobody_chose() {
        let mut space = space();
        let request = PoolRequest {
            aux: BTreeMap::from([("router".to_owned(), ip("10.0.0.1"))]),
            ..exact("10.0.0.0/24")
        };
        let pool = space.request("web", &request, &[]).unwrap();
        assert_eq!(pool.gateway(), Some(ip("10.0.0.2")));
        assert_eq!(
            space.allocate("web", net("10.0.0.0/24"), AllocationOrder::LowestFree),
            Ok(ip("10.0.0.3"))
        );
    }

    #[test]
    fn pools_are_found_by_owner_and_exact_subnet() {
        let mut space = space();
        space.request("web", &exact("10.0.0.0/24"), &[]).unwrap();
        let held = |(owner, pool): (&str, &Pool)| (owner.to_owned(), pool.subnet());
        assert_eq!(
            space.pools().map(held).collect::<Vec<_>>(),
            [("web".to_owned(), net("10.0.0.0/24"))]
        );
        assert!(space.pool("web", net("10.0.0.0/24")).is_ok());
        assert!(space.pool("web", net("10.0.0.0/25")).is_err());
        assert!(space.pool("db", net("10.0.0.0/24")).is_err());
        let released = space.release("web", net("10.0.0.0/24")).unwrap();
        assert_eq!(released.gateway(), Some(ip("10.0.0.1")));
        assert_eq!(
            space.release("web", net("10.0.0.0/24")),
            Err(PoolError::Unknown {
                subnet: net("10.0.0.0/24"),
                space: "local".to_owned(),
            })
        );
    }

    fn on_eth0(subnet: &str, range: Option<&str>) -> PoolRequest {
        PoolRequest {
            range: range.map(net),
            gateway: GatewayRequest::Address(ip("10.0.0.1")),
            link: Some("eth0".to_owned()),
            ..exact(subnet)
        }
    }

    #[test]
    fn pools_of_one_link_share_a_subnet_and_its_addresses() {
        let mut space = space();
        let subnet = net("10.0.0.0/24");
        let routes = [net("10.0.0.0/16")];
        space
            .request("a", &on_eth0("10.0.0.0/24", None), &routes)
            .unwrap();
        let before = space.clone();
        space
            .request("b", &on_eth0("10.0.0.0/24", Some("10.0.0.0/30")), &routes)
            .unwrap();
        let next = |space: &mut AddressSpace, owner| {
            let address = space.allocate(owner, subnet, AllocationOrder::LowestFree);
            address
                .map(|address| address.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(next(&mut space, "a"), Ok("10.0.0.2".to_owned()));
        assert_eq!(next(&mut space, "b"), Ok("10.0.0.3".to_owned()));
        assert_eq!(
            next(&mut space, "b"),
            Err("no free address in 10.0.0.0/30: 3 of 3 in use; remove containers, or create the network \
                 with a larger subnet or ip-range"
                .to_owned())
        );
        assert_eq!(next(&mut space, "a"), Ok("10.0.0.4".to_owned()));
        for (owner, address, message) in [
            (
                "a",
                "10.0.0.3",
                "address 10.0.0.3 is already in use in subnet 10.0.0.0/24; choose another",
            ),
            (
                "b",
                "10.0.0.1",
                "address 10.0.0.1 is the gateway's of subnet 10.0.0.0/24; choose another",
            ),
        ] {
            let reserved = space.reserve(owner, subnet, ip(address));
            assert_eq!(reserved.unwrap_err().to_string(), message);
        }
        space.free("b", subnet, ip("10.0.0.3")).unwrap();
        assert_eq!(space.reserve("a", subnet, ip("10.0.0.3")), Ok(()));
        assert!(space.free("b", subnet, ip("10.0.0.3")).is_err());
        for address in ["10.0.0.2", "10.0.0.3", "10.0.0.4"] {
            space.free("a", subnet, ip(address)).unwrap();
        }
        space.release("b", subnet).unwrap();
        assert_eq!(space, before);
    }

    #[test]
    fn what_one_sets_aside_is_nobodys_and_what_others_use_is_not_set_aside() {
        let mut space = space();
        let subnet = net("10.0.0.0/24");
        let with = |name: &str, address: &str| PoolRequest {
            aux: BTreeMap::from([(name.to_owned(), ip(address))]),
            gateway: GatewayRequest::None,
            ..on_eth0("10.0.0.0/24", None)
        };
        space
            .request("a", &with("router", "10.0.0.1"), &[])
            .unwrap();
        // The same router, by another word.
        space
            .request("b", &on_eth0("10.0.0.0/24", None), &[])
            .unwrap();
        space.reserve("b", subnet, ip("10.0.0.2")).unwrap();
        assert_eq!(
            space
                .reserve("b", subnet, ip("10.0.0.1"))
                .unwrap_err()
                .to_string(),
            "address 10.0.0.1 is the gateway's of subnet 10.0.0.0/24; choose another"
        );
        let before = space.clone();
        assert_eq!(
            outcome(&mut space, &with("nas", "10.0.0.2"), &[]),
            Err(
                "address 10.0.0.2 is already in use in subnet 10.0.0.0/24; choose another"
                    .to_owned()
            )
        );
        assert_eq!(space, before);
        let first_free = PoolRequest {
            gateway: GatewayRequest::FirstFree,
            ..on_eth0("10.0.0.0/24", None)
        };
        let pool = space.request("c", &first_free, &[]).unwrap();
        assert_eq!(pool.gateway(), Some(ip("10.0.0.3")));
        space.release("a", subnet).unwrap();
        assert!(space.reserve("c", subnet, ip("10.0.0.1")).is_err());
        space.release("b", subnet).unwrap();
        assert_eq!(space.reserve("c", subnet, ip("10.0.0.1")), Ok(()));
    }

    #[test]
    fn only_the_same_subnet_on_the_same_link_is_shared() {
        let mut space = space();
        space
            .request("web", &on_eth0("10.0.0.0/24", None), &[])
            .unwrap();
        let on_eth1 = PoolRequest {
            link: Some("eth1".to_owned()),
            ..on_eth0("10.0.0.0/24", None)
        };
        for (request, message) in [
            (
                on_eth0("10.0.0.0/25", None),
                "subnet 10.0.0.0/25 overlaps 10.0.0.0/24 of web on the same link; give --subnet \
                 10.0.0.0/24, and --ip-range for a part of it",
            ),
            (
                on_eth1,
                "subnet 10.0.0.0/24 is already in use by web; choose another, or remove web",
            ),
            (
                exact("10.0.0.0/24"),
                "subnet 10.0.0.0/24 is already in use by web; choose another, or remove web",
            ),
        ] {
            assert_eq!(outcome(&mut space, &request, &[]), Err(message.to_owned()));
        }
        let again = space.request("web", &on_eth0("10.0.0.0/24", None), &[]);
        assert!(matches!(again, Err(PoolError::AlreadyRequested { .. })));
    }
}
