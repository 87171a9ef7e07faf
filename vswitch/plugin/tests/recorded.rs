//! What dockerd 20.10 asked of a driver, in the order in which it did and repetitions left out, and what
//! it was answered: each line a method, the body of the request, and that of the answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vswitch_plugin::network_driver::{self as network, IpamData};
use vswitch_plugin::{Activation, Empty, Method, decode, ipam_driver as ipam};

const EXCHANGE: &str = include_str!("dockerd-20.10.tsv");

/// What libnetwork wrote is what is written here: the same fields, empty or left out alike.
fn request<T: DeserializeOwned + Serialize>(body: &str) {
    let request: T = decode(body.as_bytes()).unwrap();
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), sent);
}

/// What a driver wrote is all there, if a driver here writes it. It may leave out fields.
fn answer<T: DeserializeOwned + Serialize>(body: &str) {
    let answer: T = decode(body.as_bytes()).unwrap();
    let ours = serde_json::to_value(&answer).unwrap();
    let theirs: Value = serde_json::from_str(body).unwrap();
    assert_contains(&ours, &theirs);
}

fn assert_contains(ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                assert_contains(&ours[key], value);
            }
        }
        (ours, theirs) => assert_eq!(ours, theirs),
    }
}

#[test]
fn every_request_and_answer_is_understood_and_written_alike() {
    let mut seen = Vec::new();
    for line in EXCHANGE.lines() {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap();
        let (method, asked, answered) = (column(), column(), column());
        let method: Method = method.parse().unwrap();
        assert_eq!(method.has_body(), !asked.is_empty(), "{method}");
        match method {
            Method::Activate => answer::<Activation>(answered),
            Method::NetworkCapabilities => answer::<network::Capabilities>(answered),
            Method::IpamCapabilities => answer::<ipam::Capabilities>(answered),
            Method::DefaultAddressSpaces => answer::<ipam::AddressSpaces>(answered),
            Method::CreateNetwork => {
                request::<network::CreateNetwork>(asked);
                answer::<Empty>(answered);
            }
            Method::DeleteNetwork => {
                request::<network::DeleteNetwork>(asked);
                answer::<Empty>(answered);
            }
            Method::CreateEndpoint => {
                request::<network::CreateEndpoint>(asked);
                answer::<network::CreateEndpointReply>(answered);
            }
            Method::EndpointOperInfo => {
                request::<network::EndpointRef>(asked);
                answer::<network::OperInfoReply>(answered);
            }
            Method::Join => {
                request::<network::Join>(asked);
                answer::<network::JoinReply>(answered);
            }
            Method::Leave | Method::DeleteEndpoint | Method::RevokeExternalConnectivity => {
                request::<network::EndpointRef>(asked);
                answer::<Empty>(answered);
            }
            Method::ProgramExternalConnectivity => {
                request::<network::ProgramExternalConnectivity>(asked);
                answer::<Empty>(answered);
            }
            Method::RequestPool => {
                request::<ipam::RequestPool>(asked);
                answer::<ipam::RequestPoolReply>(answered);
            }
            Method::ReleasePool => {
                request::<ipam::ReleasePool>(asked);
                answer::<Empty>(answered);
            }
            Method::RequestAddress => {
                request::<ipam::RequestAddress>(asked);
                answer::<ipam::RequestAddressReply>(answered);
            }
            Method::ReleaseAddress => {
                request::<ipam::ReleaseAddress>(asked);
                answer::<Empty>(answered);
            }
            Method::GwAllocCheck
            | Method::AllocateNetwork
            | Method::FreeNetwork
            | Method::DiscoverNew
            | Method::DiscoverDelete => panic!("{method} was not asked"),
        }
        if !seen.contains(&method) {
            seen.push(method);
        }
    }
    assert_eq!(seen.len(), 17, "{seen:?}");
}

fn asked<T: DeserializeOwned>(method: Method, number: usize) -> T {
    let bodies = EXCHANGE.lines().filter_map(|line| {
        let (name, rest) = line.split_once('\t')?;
        (name == method.as_str()).then_some(rest.split('\t').next()?)
    });
    decode(bodies.collect::<Vec<_>>()[number].as_bytes()).unwrap()
}

#[test]
fn a_network_with_pool_gateway_and_aux_address() {
    let create: network::CreateNetwork = asked(Method::CreateNetwork, 0);
    assert!(create.network_id.starts_with("bd3e92b4bb28"));
    let data = IpamData {
        address_space: "LocalDefault".into(),
        pool: Some("10.55.0.0/24".parse().unwrap()),
        gateway: Some("10.55.0.1/24".parse().unwrap()),
        aux_addresses: [("x".into(), "10.55.0.9/24".parse().unwrap())].into(),
    };
    assert_eq!(create.ipv4_data, [data]);
    assert_eq!(create.ipv6_data, []);
    let options = network::generic(&create.options).unwrap();
    assert_eq!(options, [("a".into(), "b".into())].into());
    let ipv6 = network::flag(&create.options, network::ENABLE_IPV6);
    assert_eq!(ipv6, Ok(Some(false)));
    let internal = network::flag(&create.options, network::INTERNAL);
    assert_eq!(internal, Ok(None));
}

#[test]
fn the_null_ipam_driver_gives_a_pool_of_everything() {
    let create: network::CreateNetwork = asked(Method::CreateNetwork, 3);
    let [data] = &create.ipv4_data[..] else {
        panic!("{create:?}")
    };
    assert_eq!(data.address_space, "null");
    assert_eq!(data.pool, Some("0.0.0.0/0".parse().unwrap()));
    assert_eq!(data.gateway, None);
}

#[test]
fn an_endpoint_without_addresses_or_ports() {
    let create: network::CreateEndpoint = asked(Method::CreateEndpoint, 0);
    assert_eq!(
        create.interface,
        Some(network::EndpointInterface::default())
    );
    assert_eq!(network::port_map(&create.options), Ok(Vec::new()));
}

#[test]
fn a_pool_of_ipv6_and_a_gateway() {
    let pool: ipam::RequestPool = asked(Method::RequestPool, 1);
    assert_eq!(pool.pool, Some("fd00:5::/64".parse().unwrap()));
    assert_eq!(pool.sub_pool, None);
    assert!(pool.v6);
    let address: ipam::RequestAddress = asked(Method::RequestAddress, 0);
    assert_eq!(address.options[ipam::ADDRESS_TYPE], ipam::GATEWAY);
    assert_eq!(address.address, None);
}
