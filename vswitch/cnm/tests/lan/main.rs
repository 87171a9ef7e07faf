//! Networks on a NIC, from what a user asks for to what the data path is told.

#![expect(clippy::unwrap_used, reason = "the tests write literals")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, BridgeSettings, DriverName, Endpoint, EndpointId, Error, HostInterface, Ipam,
    LanSettings, Lease, Model, Network, NetworkId, NetworkRequest, RestoreError, Settings,
    option_key as key,
};

mod endpoints;
mod host_access;
mod leases;
mod modes;
mod mtu;
mod parents;
mod records;
mod routed;
mod sharing;

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

fn nic(mac: &str, addresses: &[&str]) -> HostInterface {
    HostInterface {
        mac: Some(mac.parse().unwrap()),
        mtu: 1500,
        up: true,
        carrier: true,
        ours: false,
        addresses: addresses.iter().map(|text| net(text)).collect(),
    }
}

/// A host with two NICs, of which one has a VLAN interface, loopback, and an interface of the switch.
fn interfaces() -> BTreeMap<String, HostInterface> {
    let eth0 = nic("0a:00:00:00:00:01", &["192.168.1.5/24", "fd01::5/64"]);
    let eth1 = nic("0a:00:00:00:00:02", &[]);
    let vlan = nic("0a:00:00:00:00:02", &["192.168.7.5/24"]);
    let lo = HostInterface {
        mac: None,
        mtu: 65_536,
        ..nic("0a:00:00:00:00:09", &["127.0.0.1/8"])
    };
    let ours = HostInterface {
        ours: true,
        ..nic("0a:00:00:00:00:08", &[])
    };
    [
        ("eth0", eth0),
        ("eth1", eth1),
        ("eth1.7", vlan),
        ("lo", lo),
        ("br-0a0a0a0a0a0a", ours),
    ]
    .map(|(name, interface)| (name.to_owned(), interface))
    .into()
}

fn on_nic(
    driver: DriverName,
    name: &str,
    subnets: &[&str],
    options: &[(&str, &str)],
) -> NetworkRequest {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    NetworkRequest {
        driver,
        ipv4: subnets.is_empty() || subnets.iter().any(|net| !net.contains(':')),
        subnets: subnets.iter().map(|text| net(text)).collect(),
        options: options.iter().map(owned).collect(),
        interfaces: interfaces(),
        ..NetworkRequest::new(name)
    }
}

fn macvlan(name: &str, subnets: &[&str], options: &[(&str, &str)]) -> NetworkRequest {
    on_nic(DriverName::Macvlan, name, subnets, options)
}

fn ipvlan(name: &str, subnets: &[&str], options: &[(&str, &str)]) -> NetworkRequest {
    on_nic(DriverName::Ipvlan, name, subnets, options)
}

/// A macvlan network on eth0 whose addresses a DHCP server chooses.
fn leased(name: &str) -> NetworkRequest {
    NetworkRequest {
        ipam: Ipam::Dhcp,
        ..macvlan(name, &[], &[ON_ETH0])
    }
}

const ON_ETH0: (&str, &str) = (key::PARENT, "eth0");
const HOME: &str = "192.168.1.0/24";

fn with_gateway(gateway: &str, request: NetworkRequest) -> NetworkRequest {
    NetworkRequest {
        gateways: vec![ip(gateway)],
        ..request
    }
}

fn add(model: &mut Model, n: u8, request: NetworkRequest) -> Network {
    model.create_network(request, id(n), 0, &[]).unwrap()
}

/// The code and the sentence of a refusal, which changes nothing.
fn refusal(model: &mut Model, request: NetworkRequest) -> (&'static str, String) {
    let before = model.clone();
    let error = model.create_network(request, id(99), 0, &[]).unwrap_err();
    assert_eq!(*model, before, "{error}");
    (error.code(), error.to_string())
}

fn attach(model: &mut Model, n: u8, request: AttachRequest) -> Result<Endpoint, Error> {
    model.create_endpoint(request, endpoint_id(n), 0, &mut AllFree)
}

fn to(network: u8, sandbox: &str) -> AttachRequest {
    AttachRequest::new(id(network), sandbox.parse().unwrap())
}

fn addresses(endpoint: &Endpoint) -> String {
    let addresses = endpoint.addresses.iter().map(ToString::to_string);
    addresses.collect::<Vec<_>>().join(" ")
}

fn only_bridge(model: &Model, n: u8) -> BridgeSettings {
    let bridges = model.bridge_settings(id(n)).unwrap();
    assert_eq!(bridges.len(), 1);
    bridges.into_iter().next().unwrap()
}

fn lan(model: &Model, n: u8) -> LanSettings {
    only_bridge(model, n).lan.unwrap()
}

fn lease(address: &str) -> Lease {
    Lease {
        address: address.parse().unwrap(),
        prefix_len: 24,
        router: Some([192, 168, 1, 1].into()),
        server: [192, 168, 1, 2].into(),
        dns: vec![[192, 168, 1, 3].into()],
        obtained: 1_700_000_000,
        seconds: 3600,
        renew_after: 1800,
        rebind_after: 3150,
    }
}

/// The model as its own records make it, by way of the text they are stored as, and without a look at the
/// host.
fn restored(model: &Model) -> Result<Model, RestoreError> {
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
}
