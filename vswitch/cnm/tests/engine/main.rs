//! Container engines: endpoints that join and leave, addresses that are given, pools that are lent, and
//! networks of plugins.

#![expect(clippy::unwrap_used, reason = "the tests write literals")]

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, Configurator, Endpoint, EndpointId, Error, Ipam, JoinRequest, LendRequest,
    LentPool, Model, Network, NetworkId, NetworkRequest, SandboxKey, Settings,
};
use vswitch_ipam::{AllocationOrder, Family, SubnetRequest};

mod asked;
mod created;
mod given;
mod lent;
mod lives;
mod plugin;
mod records;

fn model() -> Model {
    Model::new(Settings::default())
}

fn id(n: u8) -> NetworkId {
    NetworkId::from_octets([n; 32])
}

fn endpoint_id(n: u8) -> EndpointId {
    EndpointId::from_octets([n; 32])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn key(text: &str) -> SandboxKey {
    text.parse().unwrap()
}

fn with_subnets(name: &str, subnets: &[&str]) -> NetworkRequest {
    NetworkRequest {
        subnets: subnets.iter().map(|subnet| net(subnet)).collect(),
        ..NetworkRequest::new(name)
    }
}

/// A network as an engine asks for it whose own IPAM chooses addresses; the first is the gateway's.
fn given(name: &str, subnets: &[&str]) -> NetworkRequest {
    NetworkRequest {
        ipam: Ipam::Given,
        ..with_subnets(name, subnets)
    }
}

fn add(model: &mut Model, n: u8, request: NetworkRequest) -> Network {
    model.create_network(request, id(n), 0, &[]).unwrap()
}

/// An endpoint as an engine asks for it.
fn engines(network: u8, address: Option<&str>) -> AttachRequest {
    let address = address.map(ip);
    AttachRequest {
        configured_by: Configurator::Engine,
        ip: address.and_then(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }),
        ip6: address.and_then(|address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        }),
        ..AttachRequest::without_sandbox(id(network))
    }
}

fn create(model: &mut Model, n: u8, request: AttachRequest) -> Result<Endpoint, Error> {
    model.create_endpoint(request, endpoint_id(n), 0, &mut AllFree)
}

fn join(model: &mut Model, n: u8, sandbox: &str) -> Result<Endpoint, Error> {
    model.join_endpoint(endpoint_id(n), JoinRequest::new(key(sandbox)))
}

/// The code and the sentence of a refusal, which changes nothing.
fn refusal<T: std::fmt::Debug>(
    model: &mut Model,
    refused: impl FnOnce(&mut Model) -> Result<T, Error>,
) -> (&'static str, String) {
    let before = model.clone();
    let error = refused(model).unwrap_err();
    assert_eq!(*model, before, "{error}");
    (error.code(), error.to_string())
}

fn exact(subnet: &str) -> LendRequest {
    LendRequest {
        subnet: SubnetRequest::Exact(net(subnet)),
        range: None,
    }
}

const ANY: LendRequest = LendRequest {
    subnet: SubnetRequest::Default(Family::V4),
    range: None,
};

fn lend(model: &mut Model, request: LendRequest) -> LentPool {
    model.lend_pool(request, &[]).unwrap()
}

fn lend_address(model: &mut Model, pool: &str, address: Option<&str>) -> Result<String, Error> {
    model
        .lend_address(pool, address.map(ip), AllocationOrder::LowestFree)
        .map(|net| net.to_string())
}

/// The model as its own records make it, by way of the text they are stored as.
fn restored(model: &Model) -> Model {
    fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(record: &T) -> T {
        serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
    }
    Model::restore(
        model.settings().clone(),
        model.networks().map(stored),
        model.endpoints().map(stored),
        model.sandboxes().map(stored),
        model.lent_pools().map(stored),
    )
    .unwrap()
}
