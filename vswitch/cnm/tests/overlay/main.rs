//! Overlay networks, from what a user asks for to what the data path is told.

#![expect(clippy::unwrap_used, reason = "the tests write literals")]

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, BridgeSettings, DriverName, Endpoint, EndpointId, Error, Model, Network,
    NetworkId, NetworkRequest, OverlaySettings, Remote, RestoreError, Settings, option_key as key,
};

mod networks;
mod peers;
mod records;
mod segments;
mod underlay;

fn model() -> Model {
    Model::new(Settings::default())
}

fn id(n: u8) -> NetworkId {
    NetworkId::from_octets([n; 32])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn overlay(name: &str, subnets: &[&str], options: &[(&str, &str)]) -> NetworkRequest {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    NetworkRequest {
        driver: DriverName::Overlay,
        ipv4: subnets.is_empty() || subnets.iter().any(|net| !net.contains(':')),
        subnets: subnets.iter().map(|text| net(text)).collect(),
        options: options.iter().map(owned).collect(),
        ..NetworkRequest::new(name)
    }
}

fn add(model: &mut Model, n: u8, request: NetworkRequest) -> Network {
    model.create_network(request, id(n), 0, &[]).unwrap()
}

fn attach(model: &mut Model, n: u8, request: AttachRequest) -> Result<Endpoint, Error> {
    model.create_endpoint(request, EndpointId::from_octets([n; 32]), 0, &mut AllFree)
}

fn to(network: u8, sandbox: &str) -> AttachRequest {
    AttachRequest::new(id(network), sandbox.parse().unwrap())
}

fn only_bridge(model: &Model, n: u8) -> BridgeSettings {
    let bridges = model.bridge_settings(id(n)).unwrap();
    assert_eq!(bridges.len(), 1);
    bridges.into_iter().next().unwrap()
}

fn tunnels(model: &Model, n: u8) -> OverlaySettings {
    only_bridge(model, n).overlay.unwrap()
}

fn remote(mac: &str, vtep: &str, addresses: &[&str]) -> Remote {
    Remote {
        mac: mac.parse().unwrap(),
        vtep: ip(vtep),
        addresses: addresses.iter().map(|text| ip(text)).collect(),
    }
}

/// The model as its own records make it, by way of the text they are stored as.
fn restored(model: &Model) -> Result<Model, RestoreError> {
    let networks = model.networks().map(|network| {
        let text = serde_json::to_string(network).unwrap();
        serde_json::from_str::<Network>(&text).unwrap()
    });
    Model::restore(
        model.settings().clone(),
        networks,
        model.endpoints().cloned(),
        model.sandboxes().cloned(),
        model.lent_pools().cloned(),
    )
}

/// Three segments: two of both families, and one with IPv6 alone.
fn three_segments() -> NetworkRequest {
    let subnets = [
        "10.1.0.0/30",
        "fd01::/64",
        "10.2.0.0/24",
        "fd02::/64",
        "fd03::/64",
    ];
    overlay("web", &subnets, &[(key::PEERS, "192.0.2.2,192.0.2.3")])
}
