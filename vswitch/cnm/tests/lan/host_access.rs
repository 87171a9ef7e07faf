//! The host's port on a network on a NIC.

use vswitch_cnm::{HostInterface, Ipam, NetworkRequest, option_key as key};

use super::{
    HOME, ON_ETH0, add, id, interfaces, ip, ipvlan, leased, macvlan, model, only_bridge, refusal,
    restored,
};

const ACCESS: (&str, &str) = (key::HOST_ACCESS, "true");

fn with_aux(aux: &[(&str, &str)], request: NetworkRequest) -> NetworkRequest {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), ip(text));
    NetworkRequest {
        aux_addresses: aux.iter().map(owned).collect(),
        ..request
    }
}

#[test]
fn the_hosts_addresses_are_those_given_or_the_parents() {
    let tagged = (key::PARENT, "eth0.100");
    for (request, expected) in [
        (macvlan("web", &[HOME], &[ON_ETH0]), None),
        (macvlan("web", &[HOME], &[ON_ETH0, ACCESS]), Some(&[][..])),
        (ipvlan("web", &[HOME], &[ON_ETH0, ACCESS]), Some(&[])),
        (
            with_aux(
                &[("host", "192.168.1.77"), ("printer", "192.168.1.78")],
                macvlan("web", &[HOME], &[ON_ETH0, ACCESS]),
            ),
            Some(&["192.168.1.77"]),
        ),
        (
            with_aux(
                &[("host", "10.0.0.7"), ("host6", "fd07::7")],
                macvlan("web", &["10.0.0.0/24", "fd07::/64"], &[tagged, ACCESS]),
            ),
            Some(&["10.0.0.7", "fd07::7"]),
        ),
        (
            with_aux(
                &[("host", "10.0.0.7")],
                macvlan("web", &["10.0.0.0/24"], &[ACCESS]),
            ),
            Some(&["10.0.0.7"]),
        ),
    ] {
        let mut model = model();
        add(&mut model, 1, request);
        let bridge = only_bridge(&model, 1);
        let expected = expected.map(|texts| texts.iter().map(|text| ip(text)).collect::<Vec<_>>());
        let name = expected.as_ref().map(|_| "br-010101010101".to_owned());
        assert_eq!(bridge.lan.unwrap().host_access, expected);
        assert_eq!(bridge.host_port, name);
        assert!(bridge.gateway_mac.is_valid_source() && bridge.gateways.is_empty());
        assert_eq!(restored(&model).as_ref(), Ok(&model));
    }
}

#[test]
fn each_segment_has_a_port_where_the_host_has_an_address() {
    let subnets = ["10.1.0.0/24", "10.2.0.0/24"];
    let ports = |parent| {
        let mut model = model();
        let request = macvlan("web", &subnets, &[(key::PARENT, parent), ACCESS]);
        add(&mut model, 1, with_aux(&[("host", "10.2.0.7")], request));
        let bridges = model.bridge_settings(id(1)).unwrap();
        let port = |bridge: vswitch_cnm::BridgeSettings| {
            (bridge.host_port, bridge.lan.unwrap().host_access)
        };
        bridges.into_iter().map(port).collect::<Vec<_>>()
    };
    let second = (
        Some("br-0101010101-1".to_owned()),
        Some(vec![ip("10.2.0.7")]),
    );
    let first = Some("br-010101010101".to_owned());
    assert_eq!(ports("eth0"), [(first, Some(Vec::new())), second.clone()]);
    assert_eq!(
        ports("eth0.100"),
        [(None, None), second],
        "eth0 is not in the VLAN"
    );
}

#[test]
fn a_host_without_address_is_told_what_to_do() {
    let dhcp = |request| NetworkRequest {
        ipam: Ipam::Dhcp,
        ..request
    };
    for (request, message) in [
        (
            macvlan("web", &["10.0.0.0/24"], &[ON_ETH0, ACCESS]),
            "option host_access=true: the host has no address of the network's subnets on eth0; give it \
             one with --aux-address host=IP",
        ),
        (
            macvlan("web", &[HOME], &[(key::PARENT, "eth0.100"), ACCESS]),
            "option host_access=true: the host has no address on VLAN 100 of eth0; give it one with \
             --aux-address host=IP",
        ),
        (
            macvlan("web", &[HOME], &[ACCESS]),
            "option host_access=true: the host has no address on a network without parent; give it one \
             with --aux-address host=IP",
        ),
        (
            dhcp(macvlan("web", &[], &[(key::PARENT, "eth1"), ACCESS])),
            "option host_access=true: the host has no address on eth1; leave the option out, or give the \
             network its --subnet",
        ),
        (
            dhcp(macvlan("web", &[], &[(key::PARENT, "eth0.100"), ACCESS])),
            "option host_access=true: the host has no address on VLAN 100 of eth0; leave the option out, \
             or give the network its --subnet",
        ),
    ] {
        assert_eq!(
            refusal(&mut model(), request),
            ("host_address_missing", message.to_owned())
        );
    }
    let mut model = model();
    let request = NetworkRequest {
        options: [ON_ETH0, ACCESS]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..leased("dhcp")
    };
    add(&mut model, 1, request);
    assert_eq!(
        only_bridge(&model, 1).lan.unwrap().host_access,
        Some(vec![])
    );
}

#[test]
fn a_parent_that_loses_its_address_keeps_the_port() {
    let mut model = model();
    add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0, ACCESS]));
    // Nothing of the parent's addresses is recorded, so nothing can contradict them later.
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    let mut bare = interfaces();
    bare.insert(
        "eth0".to_owned(),
        HostInterface {
            addresses: Vec::new(),
            ..interfaces()["eth0"].clone()
        },
    );
    let again = NetworkRequest {
        interfaces: bare,
        ..macvlan("db", &[HOME], &[ON_ETH0, ACCESS])
    };
    assert_eq!(refusal(&mut model, again).0, "host_address_missing");
}
