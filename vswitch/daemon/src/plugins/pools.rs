//! The pools of a network, from an IPAM plugin: asked for as libnetwork does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_plugin::Method;
use vswitch_plugin::ipam_driver::{ADDRESS_TYPE, GATEWAY, RequestPool, RequestPoolReply};

use super::PluginError;
use super::ipam_driver::{IpamDriver, Lent};

/// What a network asks an IPAM plugin for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolsWanted {
    /// These subnets.
    pub subnets: Vec<IpNet>,
    /// Parts of them that addresses are given out from.
    pub ranges: Vec<IpNet>,
    /// Their gateways; where none is named, the plugin chooses.
    pub gateways: Vec<IpAddr>,
    /// Addresses that nobody gets, by name.
    pub aux: BTreeMap<String, IpAddr>,
    /// Whether there is to be a subnet of IPv6, named or not.
    pub ipv6: bool,
    /// The user's own (`--ipam-opt`).
    pub options: BTreeMap<String, String>,
    /// What a subnet that the plugin chooses must not overlap.
    pub occupied: Vec<IpNet>,
}

/// A pool that a plugin gave, and what is set aside in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The plugin's name for it.
    pub id: String,
    /// The address space it is of.
    pub space: String,
    /// Its addresses.
    pub subnet: IpNet,
    /// The gateway's.
    pub gateway: Option<IpAddr>,
    /// Those that nobody gets, by name.
    pub aux: BTreeMap<String, IpAddr>,
}

/// How many subnets that overlap something are taken from a plugin before it is given up.
const OFFERS: usize = 64;

impl IpamDriver {
    /// Asks for a pool for each subnet, or for one of IPv4, and one of IPv6 if that is wanted; and for gateways
    /// and auxiliary addresses in them.
    ///
    /// # Errors
    /// [`PluginError`]; nothing is kept then.
    pub async fn request_pools(&self, wanted: &PoolsWanted) -> Result<Vec<Pool>, PluginError> {
        for address in wanted.gateways.iter().chain(wanted.aux.values()) {
            placed(wanted, IpNet::from(*address))?;
        }
        for range in &wanted.ranges {
            placed(wanted, *range)?;
        }
        let space = self.address_spaces().await?.local_default_address_space;
        let mut pools = Vec::new();
        for request in requests(wanted, &space) {
            if let Err(error) = self.add_pool(wanted, request, &mut pools).await {
                self.release_pools(&pools).await;
                return Err(error);
            }
        }
        Ok(pools)
    }

    /// Gives pools back, with what is set aside in them. What fails is logged.
    pub async fn release_pools(&self, pools: &[Pool]) {
        for pool in pools {
            let set_aside = pool.gateway.into_iter().chain(pool.aux.values().copied());
            let lent = set_aside.map(|address| Lent {
                pool: pool.id.clone(),
                address,
            });
            self.release_addresses(&lent.collect::<Vec<_>>()).await;
            self.release_pool(&pool.id).await;
        }
    }

    async fn add_pool(
        &self,
        wanted: &PoolsWanted,
        request: RequestPool,
        pools: &mut Vec<Pool>,
    ) -> Result<(), PluginError> {
        let reply = self.free_pool(&request, &wanted.occupied).await?;
        let subnet = reply.pool;
        pools.push(Pool {
            id: reply.pool_id.clone(),
            space: request.address_space,
            subnet,
            gateway: None,
            aux: BTreeMap::new(),
        });
        let Some(pool) = pools.last_mut() else {
            return Ok(());
        };
        // One that the plugin chose with the pool is not asked for, but given back with it (`ipamAllocateVersion`).
        let chosen = match reply.data.get(GATEWAY) {
            Some(text) => Some(self.chosen_gateway(text, subnet)?),
            None => None,
        };
        let mut named = wanted.gateways.iter().copied();
        let named = named.find(|ip| subnet.contains(ip));
        pool.gateway = chosen;
        if named.is_some() || chosen.is_none() {
            let options = BTreeMap::from([(ADDRESS_TYPE.to_owned(), GATEWAY.to_owned())]);
            let lent = self.request_address(&pool.id, subnet, named, options);
            pool.gateway = Some(lent.await?.address);
        }
        for (name, &address) in &wanted.aux {
            if subnet.contains(&address) {
                let lent = self.request_address(&pool.id, subnet, Some(address), BTreeMap::new());
                pool.aux.insert(name.clone(), lent.await?.address);
            }
        }
        Ok(())
    }

    /// A pool that overlaps nothing, where the plugin chooses. Those that do are kept until there is one,
    /// as the plugin would offer them again.
    async fn free_pool(
        &self,
        request: &RequestPool,
        occupied: &[IpNet],
    ) -> Result<RequestPoolReply, PluginError> {
        let mut rejected: Vec<RequestPoolReply> = Vec::new();
        let found = loop {
            let offer = match self.request_pool(request).await {
                Ok(offer) => offer,
                Err(error) => break Err(error),
            };
            let is_free = !occupied.iter().any(|net| overlap(net, &offer.pool));
            if request.pool.is_some() || is_free {
                break Ok(offer);
            }
            let is_repeated = rejected.iter().any(|other| other.pool_id == offer.pool_id);
            let subnet = offer.pool;
            rejected.push(offer);
            if is_repeated || rejected.len() == OFFERS {
                let problem = format!(
                    "{subnet} overlaps a route of the host or another network, and it offers no other: \
                     choose one with --subnet"
                );
                break Err(self.answer(Method::RequestPool, problem));
            }
        };
        for offer in rejected {
            self.release_pool(&offer.pool_id).await;
        }
        found
    }

    fn chosen_gateway(&self, text: &str, subnet: IpNet) -> Result<IpAddr, PluginError> {
        let address = text.parse::<IpNet>().map(|net| net.addr());
        let address = address.ok().filter(|address| subnet.contains(address));
        address.ok_or_else(|| {
            let problem = format!("the gateway {text:?} is no address of {subnet}");
            self.answer(Method::RequestPool, problem)
        })
    }
}

/// Checks that something is part of a subnet that is named.
fn placed(wanted: &PoolsWanted, part: IpNet) -> Result<(), PluginError> {
    match wanted.subnets.iter().any(|subnet| subnet.contains(&part)) {
        true => Ok(()),
        false => Err(PluginError::Unplaced {
            address: part.addr(),
        }),
    }
}

fn requests(wanted: &PoolsWanted, space: &str) -> Vec<RequestPool> {
    let request = |pool: Option<IpNet>, v6| RequestPool {
        address_space: space.to_owned(),
        pool,
        sub_pool: pool.and_then(|pool| {
            let mut ranges = wanted.ranges.iter().copied();
            ranges.find(|range| pool.contains(range))
        }),
        options: wanted.options.clone(),
        v6,
    };
    let of_version = |v6: bool, is_wanted: bool| {
        let named = wanted.subnets.iter().copied();
        let named: Vec<IpNet> = named.filter(|net| net.addr().is_ipv6() == v6).collect();
        match named.is_empty() && is_wanted {
            true => vec![request(None, v6)],
            false => named
                .into_iter()
                .map(|net| request(Some(net), v6))
                .collect(),
        }
    };
    [of_version(false, true), of_version(true, wanted.ipv6)].concat()
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
