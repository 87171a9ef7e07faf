//! The pools that may not overlap each other.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::default_pools::DefaultPools;
use crate::error::PoolError;
use crate::pool::Pool;
use crate::request::{PoolRequest, SubnetRequest};
use crate::subnet::{check_subnet, overlap};

/// Pools whose subnets have no address in common, each held by an owner.
///
/// As subnets are disjoint, a pool is known by its subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpace {
    name: String,
    defaults: DefaultPools,
    pools: BTreeMap<IpNet, Held>,
}

/// A pool, and whom messages name as its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    owner: String,
    pool: Pool,
}

impl AddressSpace {
    /// A space without pools, which takes subnets nobody chose from `defaults`.
    #[must_use]
    pub fn new(name: impl Into<String>, defaults: DefaultPools) -> Self {
        Self {
            name: name.into(),
            defaults,
            pools: BTreeMap::new(),
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
    /// overlap everything; nor should the caller pass routes that exist because of this very pool.
    ///
    /// # Errors
    /// [`PoolError`]; the space is then as before.
    pub fn request(
        &mut self,
        owner: &str,
        request: &PoolRequest,
        occupied: &[IpNet],
    ) -> Result<&mut Pool, PoolError> {
        let subnet = self.choose_subnet(request, occupied)?;
        let held = Held {
            owner: owner.to_owned(),
            pool: open(subnet, request)?,
        };
        Ok(&mut self.pools.entry(subnet).insert_entry(held).into_mut().pool)
    }

    /// Gives up the pool with this subnet, and returns it as it was.
    ///
    /// # Errors
    /// [`PoolError::Unknown`] if there is none.
    pub fn release(&mut self, subnet: IpNet) -> Result<Pool, PoolError> {
        self.pools
            .remove(&subnet)
            .map(|held| held.pool)
            .ok_or_else(|| unknown(subnet, &self.name))
    }

    /// The pool with exactly this subnet.
    ///
    /// # Errors
    /// [`PoolError::Unknown`] if there is none.
    pub fn pool(&self, subnet: IpNet) -> Result<&Pool, PoolError> {
        self.pools
            .get(&subnet)
            .map(|held| &held.pool)
            .ok_or_else(|| unknown(subnet, &self.name))
    }

    /// The pool with exactly this subnet, to take addresses from and give them back.
    ///
    /// # Errors
    /// [`PoolError::Unknown`] if there is none.
    pub fn pool_mut(&mut self, subnet: IpNet) -> Result<&mut Pool, PoolError> {
        self.pools
            .get_mut(&subnet)
            .map(|held| &mut held.pool)
            .ok_or_else(|| unknown(subnet, &self.name))
    }

    /// Every pool with its owner, in order of subnets.
    pub fn pools(&self) -> impl Iterator<Item = (&str, &Pool)> {
        self.pools
            .values()
            .map(|held| (held.owner.as_str(), &held.pool))
    }

    fn choose_subnet(&self, request: &PoolRequest, occupied: &[IpNet]) -> Result<IpNet, PoolError> {
        let routes = || occupied.iter().filter(|route| route.prefix_len() > 0);
        let taken = || {
            routes()
                .chain(self.pools.keys())
                .copied()
                .collect::<Vec<_>>()
        };
        match (request.subnet, request.range) {
            (SubnetRequest::Exact(subnet), range) => {
                check_subnet(subnet)?;
                self.check_disjoint(subnet, range)?;
                match routes().find(|route| overlap(**route, subnet)) {
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

    fn check_disjoint(&self, subnet: IpNet, range: Option<IpNet>) -> Result<(), PoolError> {
        let Some((&other, held)) = self
            .pools
            .iter()
            .find(|(other, _)| overlap(**other, subnet))
        else {
            return Ok(());
        };
        let owner = held.owner.clone();
        Err(if other == subnet && held.pool.range() == range {
            PoolError::AlreadyRequested { subnet, owner }
        } else {
            PoolError::OverlapsPool {
                subnet,
                other,
                owner,
            }
        })
    }
}

fn open(subnet: IpNet, request: &PoolRequest) -> Result<Pool, PoolError> {
    let mut pool = Pool::new(subnet, request.range)?;
    for (name, &address) in &request.aux {
        pool.reserve_aux(name, address)?;
    }
    pool.assign_gateway(request.gateway)?;
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
    use std::net::IpAddr;

    use super::*;
    use crate::allocation::AllocationOrder;
    use crate::default_pools::BasePool;
    use crate::error::{AddressError, SubnetError};
    use crate::family::Family;
    use crate::request::GatewayRequest;

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
        space.release(net("172.20.0.0/16")).unwrap();
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
            pool.allocate(AllocationOrder::LowestFree),
            Ok(ip("10.0.0.3"))
        );
    }

    #[test]
    fn pools_are_found_by_their_exact_subnet() {
        let mut space = space();
        space.request("web", &exact("10.0.0.0/24"), &[]).unwrap();
        let held = |(owner, pool): (&str, &Pool)| (owner.to_owned(), pool.subnet());
        assert_eq!(
            space.pools().map(held).collect::<Vec<_>>(),
            [("web".to_owned(), net("10.0.0.0/24"))]
        );
        assert!(space.pool(net("10.0.0.0/24")).is_ok());
        assert!(space.pool_mut(net("10.0.0.0/25")).is_err());
        let released = space.release(net("10.0.0.0/24")).unwrap();
        assert_eq!(released.gateway(), Some(ip("10.0.0.1")));
        assert_eq!(
            space.release(net("10.0.0.0/24")),
            Err(PoolError::Unknown {
                subnet: net("10.0.0.0/24"),
                space: "local".to_owned(),
            })
        );
    }
}
