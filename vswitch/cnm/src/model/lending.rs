//! Address pools for container engines: lent, and returned.
//!
//! A pool that is lent is no network's, and overlaps none, but for a network whose addresses the engine
//! gives: that has the same subnet. Either may end before the other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{
    AddressSpace, AllocationOrder, DefaultPools, GatewayRequest, PoolError, PoolRequest,
    SubnetRequest,
};

use super::Model;
use crate::error::{EngineError, Error};
use crate::ipam::Ipam;
use crate::lent_pool::{LendRequest, LentPool, Returned};

/// The space of pools that are lent, which is kept from the networks' here.
const ADDRESS_SPACE: &str = "lent";

/// Who has them.
const BORROWER: &str = "Docker";

/// The pools that are lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lender {
    space: AddressSpace,
    pools: BTreeMap<String, LentPool>,
}

impl Model {
    /// Lends a pool that overlaps no network's subnet, no other lent pool, and, if its subnet is left to
    /// choose, nothing in `occupied`, which is what the host routes elsewhere. The same subnet and range
    /// again are the same pool, used once more.
    ///
    /// An exact subnet may be that of a NIC, which the host has a route to: routes are checked when the
    /// network is made. Returns the record to persist.
    ///
    /// # Errors
    /// [`EngineError::LentOverlap`], and [`Error::Pool`] for what else a subnet is refused for.
    pub fn lend_pool(
        &mut self,
        request: LendRequest,
        occupied: &[IpNet],
    ) -> Result<LentPool, Error> {
        let LendRequest { subnet, range } = request;
        let elsewhere: Vec<IpNet> = match subnet {
            SubnetRequest::Exact(subnet) => {
                if let Some(pool) = self.lender.pools.get_mut(&LentPool::id_of(subnet, range)) {
                    pool.uses = pool.uses.saturating_add(1);
                    return Ok(pool.clone());
                }
                self.lender.check_apart(subnet, &Ipam::Default)?;
                self.check_apart_from_networks(subnet)?;
                Vec::new()
            }
            _ => {
                let networks = self.space.pools().map(|(_, pool)| pool.subnet());
                networks.chain(occupied.iter().copied()).collect()
            }
        };
        Ok(self.lender.lend(subnet, range, &elsewhere)?)
    }

    /// Takes a pool back that is not used any more, with all its addresses; `None` if it is not lent.
    pub fn return_pool(&mut self, id: &str) -> Option<Returned> {
        let pool = self.lender.pools.get_mut(id)?;
        pool.uses = pool.uses.saturating_sub(1);
        if pool.uses > 0 {
            return Some(Returned::StillUsed(pool.clone()));
        }
        self.lender.take_back(id).map(Returned::Gone)
    }

    /// Lends an address of a pool: the one asked for, or one that is chosen. Returns it with the prefix
    /// length of the subnet; the pool's record has changed.
    ///
    /// # Errors
    /// [`EngineError::PoolNotFound`]; [`Error::Pool`] if the address is lent already or cannot be an
    /// interface's, or if none is left.
    pub fn lend_address(
        &mut self,
        id: &str,
        address: Option<IpAddr>,
        order: AllocationOrder,
    ) -> Result<IpNet, Error> {
        self.lender.lend_address(id, address, order)
    }

    /// Takes an address back, and returns the pool's record to persist; `None` if it is not lent.
    pub fn return_address(&mut self, id: &str, address: IpAddr) -> Option<LentPool> {
        self.lender.return_address(id, address)
    }

    /// The pool with this id.
    #[must_use]
    pub fn lent_pool(&self, id: &str) -> Option<&LentPool> {
        self.lender.pools.get(id)
    }

    /// Every pool that is lent, in order of ids.
    pub fn lent_pools(&self) -> impl Iterator<Item = &LentPool> {
        self.lender.pools.values()
    }

    fn check_apart_from_networks(&self, subnet: IpNet) -> Result<(), PoolError> {
        let mut networks = self.space.pools();
        let Some((owner, pool)) = networks.find(|(_, pool)| overlap(pool.subnet(), subnet)) else {
            return Ok(());
        };
        let owner = owner.to_owned();
        Err(match pool.subnet() {
            other if other == subnet => PoolError::AlreadyRequested { subnet, owner },
            other => PoolError::OverlapsPool {
                subnet,
                other,
                owner,
            },
        })
    }
}

impl Lender {
    /// Chooses subnets nobody asked for from `defaults`.
    pub(super) fn new(defaults: DefaultPools) -> Self {
        Self {
            space: AddressSpace::new(ADDRESS_SPACE, defaults),
            pools: BTreeMap::new(),
        }
    }

    /// The subnets of all pools.
    pub(super) fn subnets(&self) -> impl Iterator<Item = IpNet> {
        self.pools.values().map(|pool| pool.subnet)
    }

    /// Checks that no pool overlaps `subnet`, but for one whose addresses are given on a network with
    /// `ipam`.
    pub(super) fn check_apart(&self, subnet: IpNet, ipam: &Ipam) -> Result<(), EngineError> {
        let is_its = |pool: IpNet| *ipam == Ipam::Given && pool == subnet;
        let mut pools = self.subnets();
        match pools.find(|pool| overlap(*pool, subnet) && !is_its(*pool)) {
            None => Ok(()),
            Some(pool) => Err(EngineError::LentOverlap { subnet, pool }),
        }
    }

    /// Takes a record in, of a model that is restored.
    pub(super) fn restore(&mut self, record: LentPool) -> Result<(), Error> {
        let id = LentPool::id_of(record.subnet, record.range);
        if record.id != id || record.uses == 0 {
            return Err(EngineError::PoolRecord { id: record.id }.into());
        }
        self.check_apart(record.subnet, &Ipam::Default)?;
        let subnet = SubnetRequest::Exact(record.subnet);
        self.lend(subnet, record.range, &[])?;
        for address in record.addresses {
            self.lend_address(&id, Some(address), AllocationOrder::default())?;
        }
        if let Some(pool) = self.pools.get_mut(&id) {
            pool.uses = record.uses;
        }
        Ok(())
    }

    fn lend(
        &mut self,
        subnet: SubnetRequest,
        range: Option<IpNet>,
        elsewhere: &[IpNet],
    ) -> Result<LentPool, PoolError> {
        let request = PoolRequest {
            range,
            gateway: GatewayRequest::None,
            ..PoolRequest::new(subnet)
        };
        let subnet = self.space.request(BORROWER, &request, elsewhere)?.subnet();
        let pool = LentPool::new(subnet, range);
        self.pools.insert(pool.id.clone(), pool.clone());
        Ok(pool)
    }

    fn take_back(&mut self, id: &str) -> Option<LentPool> {
        let pool = self.pools.remove(id)?;
        let released = self.space.release(BORROWER, pool.subnet);
        debug_assert!(released.is_ok(), "each record has its pool");
        Some(pool)
    }

    fn lend_address(
        &mut self,
        id: &str,
        address: Option<IpAddr>,
        order: AllocationOrder,
    ) -> Result<IpNet, Error> {
        let Some(pool) = self.pools.get_mut(id) else {
            return Err(Error::Engine(EngineError::PoolNotFound {
                id: id.to_owned(),
            }));
        };
        let subnet = pool.subnet;
        let address = match address {
            None => self.space.allocate(BORROWER, subnet, order)?,
            Some(address) => {
                self.space.reserve(BORROWER, subnet, address)?;
                address
            }
        };
        pool.addresses.insert(address);
        // The prefix length is that of a subnet of the same family, so it always fits.
        Ok(IpNet::new(address, subnet.prefix_len()).unwrap_or_else(|_| address.into()))
    }

    fn return_address(&mut self, id: &str, address: IpAddr) -> Option<LentPool> {
        let pool = self.pools.get_mut(id)?;
        if !pool.addresses.remove(&address) {
            return None;
        }
        let freed = self.space.free(BORROWER, pool.subnet, address);
        debug_assert!(freed.is_ok(), "what is freed was taken");
        Some(pool.clone())
    }
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}
