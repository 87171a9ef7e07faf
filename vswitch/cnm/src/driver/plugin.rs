//! Networks that somebody's plugin makes work, which the caller asks.

use std::collections::BTreeMap;

use vswitch_ipam::{Family, IpamOptions, PoolRequest, plan as place};

use super::switched::{self, SwitchOptions, check_count, choose_gateway, families};
use super::{Driver, DriverName, InterfacePlan, Publishing};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::gateway::NextHop;
use crate::network::{Network, NetworkRequest};
use crate::options::Options;
use crate::sandbox::SandboxKey;

/// The driver of networks of plugins: subnets and addresses are the model's, options the plugin's.
#[derive(Debug)]
pub(super) struct Plugin;

impl Driver for Plugin {
    fn name(&self) -> DriverName {
        DriverName::Plugin
    }

    fn single_instance(&self) -> bool {
        false
    }

    fn shares_sandbox(&self) -> bool {
        true
    }

    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        check_count(&request.name, &request.subnets)?;
        let options = defaults()?;
        let mut pools = place(&IpamOptions {
            subnets: request.subnets.clone(),
            ranges: request.ip_ranges.clone(),
            gateways: request.gateways.clone(),
            aux: request.aux_addresses.clone(),
            families: families(request, &options)?,
        })?;
        for pool in &mut pools {
            choose_gateway(pool, &options)?;
        }
        pools.sort_by_key(|pool| pool.subnet.family());
        Ok(pools)
    }

    fn check_network(&self, network: &Network, _others: &[&Network]) -> Result<(), Error> {
        let subnets: Vec<_> = network.subnets.iter().map(|record| record.subnet).collect();
        check_count(&network.name, &subnets)
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        switched::check_sandbox(network, sandbox)
    }

    fn interface(
        &self,
        _network: &Network,
        _endpoint: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        switched::interface(defaults()?, &BTreeMap::new()).map(Some)
    }

    fn next_hop(&self, network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
        let interface = endpoint.plugin.as_ref().filter(|_| !network.internal)?;
        interface.next_hop(family)
    }

    fn publishing(&self, network: &Network, _endpoint: &Endpoint) -> Result<Publishing, Error> {
        Err(Error::NotPublishable {
            network: network.name.clone(),
            reason: "that is its plugin's to do",
        })
    }
}

/// What options say where none is given.
fn defaults() -> Result<SwitchOptions, Error> {
    Ok(SwitchOptions::parse(Options(&BTreeMap::new()), false)?)
}
