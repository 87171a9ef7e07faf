//! What the model's tests start from.

use crate::endpoint::AttachRequest;
use crate::id::{EndpointId, NetworkId};
use crate::model::Model;
use crate::network::{Network, NetworkRequest};
use crate::publish::AllFree;
use crate::sandbox::SandboxKey;
use crate::settings::Settings;

/// Any time.
pub(super) const NOW: u64 = 1_700_000_000;

pub(super) fn model() -> Model {
    Model::new(Settings::default())
}

/// An id that begins with `n` as two hex digits.
pub(super) fn network_id(n: u8) -> NetworkId {
    NetworkId::from_octets([n; 32])
}

pub(super) fn endpoint_id(n: u8) -> EndpointId {
    EndpointId::from_octets([n; 32])
}

pub(super) fn key(text: &str) -> SandboxKey {
    text.parse().unwrap()
}

pub(super) fn with_subnet(name: &str, subnet: &str) -> NetworkRequest {
    NetworkRequest {
        subnets: vec![subnet.parse().unwrap()],
        ..NetworkRequest::new(name)
    }
}

pub(super) fn add_network(model: &mut Model, n: u8, request: NetworkRequest) -> Network {
    model
        .create_network(request, network_id(n), NOW, &[])
        .unwrap()
}

/// Attaches `sandbox` to the network that `term` means, and returns the interface's name and addresses.
pub(super) fn attach(
    model: &mut Model,
    n: u8,
    term: &str,
    sandbox: &str,
) -> (Option<String>, Vec<String>) {
    let network = model.find_network(term).unwrap().id;
    let request = AttachRequest::new(network, key(sandbox));
    let endpoint = model
        .create_endpoint(request, endpoint_id(n), NOW, &mut AllFree)
        .unwrap();
    model.endpoint_attached(endpoint.id).unwrap();
    let addresses = endpoint.addresses.iter().map(ToString::to_string);
    (endpoint.ifname, addresses.collect())
}

/// The model as its own records make it.
pub(super) fn restored(model: &Model) -> Model {
    Model::restore(
        model.settings().clone(),
        model.networks().cloned(),
        model.endpoints().cloned(),
        model.sandboxes().cloned(),
        model.lent_pools().cloned(),
    )
    .unwrap()
}
