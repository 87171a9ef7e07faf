//! Endpoints behind the MAC address of a NIC: on its physical network (mode l2), or routed to it (l3, l3s).

use std::collections::BTreeMap;

use vswitch_ipam::{Family, PoolRequest};

use self::network_options::{Layer, NetworkOptions};
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
mod routed;

pub(super) use network_options::OWN;

/// The driver `ipvlan`.
#[derive(Debug)]
pub(super) struct Ipvlan;

impl Driver for Ipvlan {
    fn name(&self) -> DriverName {
        DriverName::Ipvlan
    }

    fn single_instance(&self) -> bool {
        false
    }

    fn shares_sandbox(&self) -> bool {
        true
    }

    fn place(&self, request: &NetworkRequest) -> Result<Option<LanRecord>, Error> {
        let options = NetworkOptions::parse(&request.options, request.internal)?;
        let record = lan::place(request, &options.lan)?;
        if options.layer == Layer::Routed {
            routed::check_place(&record)?;
        }
        Ok(Some(record))
    }

    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = NetworkOptions::parse(&request.options, request.internal)?;
        match options.layer {
            Layer::Link => lan::plan(request, &options.lan),
            Layer::Routed => routed::plan(request, &options.lan),
        }
    }

    fn complete(
        &self,
        request: &NetworkRequest,
        network: Network,
        _others: &[&Network],
    ) -> Result<Network, Error> {
        let options = lan_options(&network)?;
        lan::complete(request, network, &options)
    }

    fn check_network(&self, network: &Network, others: &[&Network]) -> Result<(), Error> {
        let options = options(network)?;
        if options.layer == Layer::Routed {
            routed::check(network)?;
        }
        lan::check(network, &options.lan, others)
    }

    fn link(&self, network: &Network) -> Option<String> {
        match options(network).ok()?.layer {
            Layer::Link => lan::link(network),
            Layer::Routed => None,
        }
    }

    fn parent_warnings(
        &self,
        network: &Network,
        interfaces: &BTreeMap<String, HostInterface>,
    ) -> Result<Vec<String>, Error> {
        Ok(lan::warnings(network, &lan_options(network)?, interfaces))
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
        lan::check_endpoint(network, request, others, &lan_options(network)?)
    }

    fn interface(
        &self,
        network: &Network,
        endpoint: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        lan::interface(lan_options(network)?, endpoint).map(Some)
    }

    fn next_hop(&self, network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
        match options(network).ok()?.layer {
            Layer::Link => lan::next_hop(network, endpoint, family),
            Layer::Routed => routed::next_hop(network, endpoint, family),
        }
    }

    fn bridges(
        &self,
        network: &Network,
        settings: &Settings,
    ) -> Result<Vec<BridgeSettings>, Error> {
        let options = options(network)?;
        match options.layer {
            Layer::Link => lan::bridges(network, settings, &options.lan),
            Layer::Routed => routed::bridges(network, settings, &options.lan),
        }
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
        let options = options(network)?;
        match options.layer {
            Layer::Link => lan::port(network, endpoint, settings, &options.lan),
            Layer::Routed => routed::port(network, endpoint, settings, &options.lan),
        }
        .map(Some)
    }
}

/// What a network has of options in common with macvlan ones.
pub(super) fn lan_options(network: &Network) -> Result<LanOptions, Error> {
    Ok(options(network)?.lan)
}

fn options(network: &Network) -> Result<NetworkOptions, Error> {
    Ok(NetworkOptions::parse(&network.options, network.internal)?)
}
