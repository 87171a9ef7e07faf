//! The pools of networks: what their subnets hold in the address space.

use ipnet::IpNet;
use vswitch_ipam::{Pool, PoolRequest, SubnetRequest};

use super::Model;
use crate::error::{EngineError, Error};
use crate::network::{Network, NetworkRequest, SubnetRecord};

impl Model {
    /// Requests all pools or none.
    pub(super) fn request_pools(
        &mut self,
        network: &Network,
        requests: Vec<PoolRequest>,
        occupied: &[IpNet],
    ) -> Result<Vec<SubnetRecord>, Error> {
        let link = network.driver.driver().link(network);
        let mut records = Vec::with_capacity(requests.len());
        for request in requests {
            let request = PoolRequest {
                link: link.clone(),
                ..request
            };
            match self.request_pool(network, &request, occupied) {
                Ok(record) => records.push(record),
                Err(error) => {
                    self.release_pools(&network.name, &records);
                    return Err(error);
                }
            }
        }
        Ok(records)
    }

    fn request_pool(
        &mut self,
        network: &Network,
        request: &PoolRequest,
        occupied: &[IpNet],
    ) -> Result<SubnetRecord, Error> {
        let mut occupied = occupied.to_vec();
        match request.subnet {
            SubnetRequest::Exact(subnet) => self.lender.check_apart(subnet, &network.ipam)?,
            _ => occupied.extend(self.lender.subnets()),
        }
        let pool = self.space.request(&network.name, request, &occupied)?;
        Ok(record(pool))
    }

    pub(super) fn release_pools(&mut self, owner: &str, records: &[SubnetRecord]) {
        for record in records {
            let released = self.space.release(owner, record.subnet);
            debug_assert!(released.is_ok(), "each record has its pool");
        }
    }
}

/// The pools of a network whose addresses are given: those of subnets that were given, and no others.
pub(super) fn given(
    request: &NetworkRequest,
    mut pools: Vec<PoolRequest>,
) -> Result<Vec<PoolRequest>, Error> {
    pools.retain(|pool| {
        !matches!(
            pool.subnet,
            SubnetRequest::Default(_) | SubnetRequest::FirstOf(_)
        )
    });
    let is_exact = |pool: &PoolRequest| matches!(pool.subnet, SubnetRequest::Exact(_));
    if pools.is_empty() || !pools.iter().all(is_exact) {
        return Err(Error::Engine(EngineError::SubnetNotGiven {
            network: request.name.clone(),
        }));
    }
    Ok(pools)
}

fn record(pool: &Pool) -> SubnetRecord {
    SubnetRecord {
        subnet: pool.subnet(),
        gateway: pool.gateway(),
        ip_range: pool.range(),
        aux: pool.aux().clone(),
    }
}
