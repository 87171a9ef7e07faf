//! All records, and the addresses they hold.

use std::collections::BTreeMap;

use vswitch_ipam::AddressSpace;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::id::{EndpointId, NetworkId};
use crate::network::Network;
use crate::sandbox::{Sandbox, SandboxKey};
use crate::settings::Settings;

mod endpoints;
mod interface;
mod joining;
mod lan;
mod lending;
mod networks;
mod overlay;
mod plugin;
mod pools;
mod publish;
mod restore;
mod sandboxes;

#[cfg(test)]
mod fixture;

use lending::Lender;
use publish::Rotation;

pub use endpoints::RemovedEndpoint;
pub use joining::LeftEndpoint;

/// The address space of networks of one host, named as libnetwork does.
const ADDRESS_SPACE: &str = "LocalDefault";

/// Networks, endpoints and sandboxes, and the operations on them.
///
/// Each operation that fails leaves the model as it was. Models are equal when they hold the same
/// records and the same addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    settings: Settings,
    space: AddressSpace,
    networks: BTreeMap<NetworkId, Network>,
    endpoints: BTreeMap<EndpointId, Endpoint>,
    sandboxes: BTreeMap<SandboxKey, Sandbox>,
    lender: Lender,
    rotation: Rotation,
}

impl Model {
    /// A model with nothing but the predefined networks.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let networks = Network::predefined(settings.started);
        Self {
            space: AddressSpace::new(ADDRESS_SPACE, settings.default_pools.clone()),
            networks: networks.map(|network| (network.id, network)).into(),
            endpoints: BTreeMap::new(),
            sandboxes: BTreeMap::new(),
            lender: Lender::new(settings.default_pools.clone()),
            rotation: Rotation::default(),
            settings,
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The networks' subnets and the addresses in use in them.
    #[must_use]
    pub const fn address_space(&self) -> &AddressSpace {
        &self.space
    }

    fn endpoint_or_error(&self, id: EndpointId) -> Result<&Endpoint, Error> {
        self.endpoints
            .get(&id)
            .ok_or_else(|| endpoint_not_found(id))
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> Result<&mut Endpoint, Error> {
        self.endpoints
            .get_mut(&id)
            .ok_or_else(|| endpoint_not_found(id))
    }

    fn network_or_error(&self, id: NetworkId) -> Result<&Network, Error> {
        self.networks
            .get(&id)
            .ok_or_else(|| Error::NetworkNotFound { name: id.short() })
    }

    /// The names of the networks `sandbox` is on, for a message.
    fn network_names(&self, sandbox: &SandboxKey) -> String {
        let names: Vec<&str> = self
            .endpoints_in(sandbox)
            .filter_map(|endpoint| self.networks.get(&endpoint.network))
            .map(|network| network.name.as_str())
            .collect();
        names.join(", ")
    }
}

fn endpoint_not_found(id: EndpointId) -> Error {
    Error::EndpointNotFound { id: id.short() }
}
