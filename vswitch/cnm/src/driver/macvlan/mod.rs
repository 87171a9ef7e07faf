//! Endpoints with MAC addresses of their own on the physical network of a NIC.

use std::collections::BTreeMap;

use vswitch_ipam::{Family, PoolRequest};

use super::lan::{self, LanOptions};
use super::{Driver, DriverName, InterfacePlan, Publishing, switched};
use crate::endpoint::{AttachRequest, Endpoint};
use crate::error::Error;
use crate::gateway::NextHop;
use crate::lan::{HostInterface, LanRecord};
use crate::network::{Network, NetworkRequest};
use crate::sandbox::SandboxKey;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod network_options;

pub(super) use network_options::OWN;

/// The driver `macvlan`.
#[derive(Debug)]
pub(super) struct Macvlan;

impl Driver for Macvlan {
    fn name(&self) -> DriverName {
        DriverName::Macvlan
    }

    fn single_instance(&self) -> bool {
        false
    }

    fn shares_sandbox(&self) -> bool {
        true
    }

    fn place(&self, request: &NetworkRequest) -> Result<Option<LanRecord>, Error> {
        let options = network_options::parse(&request.options, request.internal)?;
        lan::place(request, &options).map(Some)
    }

    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = network_options::parse(&request.options, request.internal)?;
        lan::plan(request, &options)
    }

    fn complete(
        &self,
        request: &NetworkRequest,
        network: Network,
        _others: &[&Network],
    ) -> Result<Network, Error> {
        let options = options(&network)?;
        lan::complete(request, network, &options)
    }

    fn check_network(&self, network: &Network, others: &[&Network]) -> Result<(), Error> {
        lan::check(network, &options(network)?, others)
    }

    fn link(&self, network: &Network) -> Option<String> {
        lan::link(network)
    }

    fn parent_warnings(
        &self,
        network: &Network,
        interfaces: &BTreeMap<String, HostInterface>,
    ) -> Result<Vec<String>, Error> {
        Ok(lan::warnings(network, &options(network)?, interfaces))
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        switched::check_sandbox(network, sandbox)
    }

    fn check_endpoint(
        &self,
        network: &Network,
        request: &AttachRequest,
        others: &[&Endpoint],
    ) -> Result<(), Error> {
        lan::check_endpoint(network, request, others, &options(network)?)
    }

    fn interface(
        &self,
        network: &Network,
        endpoint: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        lan::interface(options(network)?, endpoint).map(Some)
    }

    fn next_hop(&self, network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
        lan::next_hop(network, endpoint, family)
    }

    fn bridges(
        &self,
        network: &Network,
        settings: &Settings,
    ) -> Result<Vec<BridgeSettings>, Error> {
        lan::bridges(network, settings, &options(network)?)
    }

    fn publishing(&self, network: &Network, _endpoint: &Endpoint) -> Result<Publishing, Error> {
        lan::publishing(network)
    }

    fn port(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Option<PortSettings>, Error> {
        lan::port(network, endpoint, settings, &options(network)?).map(Some)
    }
}

pub(super) fn options(network: &Network) -> Result<LanOptions, Error> {
    Ok(network_options::parse(&network.options, network.internal)?)
}
