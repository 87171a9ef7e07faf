//! What an overlay network is given and what is refused.

use std::collections::BTreeMap;

use vswitch_cnm::{
    AttachRequest, DriverName, Dscp, Model, NetworkRequest, OverlaySettings, option_key as key,
};

use super::{add, attach, id, ip, model, net, only_bridge, overlay, restored, to, tunnels};

#[test]
fn defaults_are_dockers_and_those_of_the_rfc() {
    let mut model = model();
    let routes = [net("0.0.0.0/0"), net("10.0.0.0/24")];
    let web = model
        .create_network(overlay("web", &[], &[]), id(1), 0, &routes)
        .unwrap();
    assert_eq!(web.subnets[0].subnet, net("10.0.1.0/24"));
    assert_eq!(web.vnis(), [4096]);
    assert_eq!(
        tunnels(&model, 1),
        OverlaySettings {
            vni: 4096,
            port: 4789,
            local: None,
            group: None,
            ttl: None,
            dscp: Dscp::Fixed(0),
            accept_unknown: false,
            learning: true,
            tagged: false,
            suppress: true,
            peer_fdb_limit: 2048,
            peers: Vec::new(),
            remotes: Vec::new(),
        }
    );
    let bridge = only_bridge(&model, 1);
    assert_eq!((bridge.icc, bridge.mtu), (true, 1450));
    assert_eq!(bridge.host_port.as_deref(), Some("br-010101010101"));
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    assert_eq!(endpoint.addresses, [net("10.0.1.2/24")]);
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!(
        (port.mtu, port.isolated, port.routes),
        (1450, false, vec![])
    );
}

#[test]
fn options_reach_the_data_path() {
    let mut model = model();
    let options = [
        (key::PEERS, "2001:db8::2"),
        (key::LOCAL, "2001:db8::1"),
        (key::GROUP, "ff0e::1"),
        (key::PORT, "8472"),
        (key::VNI, "7"),
        (key::TTL, "9"),
        (key::DSCP, "46"),
        (key::LEARNING, "false"),
        (key::INNER_VLAN, "true"),
        (key::ARP_SUPPRESS, "false"),
        (key::PEER_FDB_LIMIT, "5"),
        (key::BRIDGE_NAME, "web0"),
        (key::GATEWAY_MODE_IPV4, "routed"),
        (key::MTU, "9000"),
    ];
    add(&mut model, 1, overlay("web", &[], &options));
    assert_eq!(
        tunnels(&model, 1),
        OverlaySettings {
            vni: 7,
            port: 8472,
            local: Some(ip("2001:db8::1")),
            group: Some(ip("ff0e::1")),
            ttl: Some(9),
            dscp: Dscp::Fixed(46),
            accept_unknown: true,
            learning: false,
            tagged: true,
            suppress: false,
            peer_fdb_limit: 5,
            peers: vec![ip("2001:db8::2")],
            remotes: Vec::new(),
        }
    );
    let bridge = only_bridge(&model, 1);
    assert_eq!(bridge.host_port.as_deref(), Some("web0"));
    assert_eq!(bridge.policy.v4.mode, vswitch_cnm::GatewayMode::Routed);
    assert_eq!(bridge.mtu, 8930);
}

#[test]
fn the_gateway_is_the_same_on_each_host() {
    let on_host = |n: u8, range: &str| {
        let mut model = model();
        let request = NetworkRequest {
            ip_ranges: vec![net(range)],
            ..overlay("web", &["10.1.0.0/24"], &[])
        };
        add(&mut model, n, request);
        let bridge = only_bridge(&model, n);
        let first = attach(&mut model, 1, to(n, "box")).unwrap().addresses[0];
        (bridge.gateways, bridge.gateway_mac.to_string(), first)
    };
    let (first, second) = (on_host(1, "10.1.0.64/26"), on_host(2, "10.1.0.128/26"));
    assert_eq!(first.0, [net("10.1.0.1/24")]);
    assert_eq!(first.1, "02:42:0a:01:00:01");
    assert_eq!((&first.0, &first.1), (&second.0, &second.1));
    assert_eq!(
        (first.2, second.2),
        (net("10.1.0.64/24"), net("10.1.0.128/24"))
    );

    let without_ipv4 = |n: u8, vni: &str| {
        let mut model = model();
        add(
            &mut model,
            n,
            overlay("web", &["fd00::/64"], &[(key::VNI, vni)]),
        );
        only_bridge(&model, n).gateway_mac
    };
    assert_eq!(without_ipv4(1, "4096"), without_ipv4(2, "4096"));
    assert_ne!(without_ipv4(1, "4096"), without_ipv4(1, "4097"));
    assert!(without_ipv4(1, "4096").is_valid_source());
}

#[test]
fn numbers_are_the_lowest_free_and_stay_with_their_network() {
    let mut model = model();
    add(&mut model, 1, overlay("a", &[], &[]));
    let list = (key::VXLANID_LIST, "4098,4097");
    add(
        &mut model,
        2,
        overlay("b", &["10.7.0.0/24", "10.8.0.0/24"], &[list]),
    );
    add(
        &mut model,
        3,
        overlay("c", &["10.9.0.0/24", "10.10.0.0/24"], &[]),
    );
    add(&mut model, 4, overlay("d", &[], &[(key::PORT, "8472")]));
    let vnis = |model: &Model| {
        let all = (1..=4).map(|n| model.network(id(n)).map(|network| network.vnis().to_vec()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        vnis(&model),
        [
            Some(vec![4096]),
            Some(vec![4098, 4097]),
            Some(vec![4099, 4100]),
            Some(vec![4096])
        ]
    );
    model.remove_network(id(1)).unwrap();
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    assert_eq!(add(&mut model, 5, overlay("e", &[], &[])).vnis(), [4096]);
    assert_eq!(add(&mut model, 6, overlay("f", &[], &[])).vnis(), [4101]);
}

#[test]
fn refusals_say_what_and_why_and_change_nothing() {
    let mut model = model();
    add(
        &mut model,
        1,
        overlay("web", &["10.1.0.0/24"], &[(key::VNI, "7")]),
    );
    let before = model.clone();
    let two = ["10.2.0.0/24", "10.3.0.0/24"];
    for (request, code, message) in [
        (
            overlay("new", &[], &[(key::VNI, "7")]),
            "vni_in_use",
            "VNI 7 is in use by network web on UDP port 4789; choose another",
        ),
        (
            overlay("new", &two, &[(key::VNI, "8")]),
            "option_conflict",
            "option vni=8 does not go with several subnets, which need a number each; use \
             com.docker.network.driver.overlay.vxlanid_list",
        ),
        (
            overlay("new", &two, &[(key::VXLANID_LIST, "8")]),
            "option_invalid",
            "option com.docker.network.driver.overlay.vxlanid_list=8: the value must be 2 numbers, one for \
             each of the network's segments",
        ),
        (
            overlay("new", &[], &[(key::PEERS, "224.0.0.1")]),
            "option_invalid",
            "option peers: 224.0.0.1 is multicast; give the address of another host",
        ),
        (
            overlay("new", &two, &[(key::PEERS, "10.3.0.7")]),
            "peer_invalid",
            "network new: 10.3.0.7 is in the network's own subnet 10.3.0.0/24; give the address that the \
             host has outside of it",
        ),
        (
            overlay("new", &two, &[(key::LOCAL, "10.2.0.7")]),
            "option_conflict",
            "option local=10.2.0.7 does not go with the network's own subnet, which it is in; give an \
             address that the host has outside of it",
        ),
        (
            overlay("new", &["fd00::/64"], &[(key::INNER_MTU, "1200")]),
            "option_conflict",
            "option mtu=1200 does not go with IPv6; use 1280 or more",
        ),
        (
            overlay("new", &[], &[(key::ENCRYPTED, "")]),
            "option_unavailable",
            "option encrypted= is not available in this version; leave it out, and encrypt what the \
             tunnels go over, with WireGuard or IPsec",
        ),
        (
            overlay("new", &[], &[(key::ENABLE_ICC, "false")]),
            "option_unknown",
            "option com.docker.network.bridge.enable_icc is for bridge networks; leave it out, or choose \
             driver bridge",
        ),
        (
            NetworkRequest {
                driver: DriverName::Bridge,
                ..overlay("new", &[], &[(key::PEERS, "192.0.2.2")])
            },
            "option_unknown",
            "option peers is for overlay networks; leave it out, or choose driver overlay",
        ),
        (
            NetworkRequest {
                ipv6: true,
                ..overlay("new", &[], &[])
            },
            "subnet_missing",
            "network new spans hosts, and the default IPv6 subnets differ between them; give --subnet with \
             an address, the same on each host",
        ),
        (
            overlay("new", &["10.1.0.0/25"], &[]),
            "subnet_overlap",
            "subnet 10.1.0.0/25 overlaps 10.1.0.0/24 of pool web; choose another, or remove web",
        ),
        (
            overlay("new", &["10.0.0.0/8", "10.1.0.0/16"], &[]),
            "subnet_overlap",
            "subnets 10.0.0.0/8 and 10.1.0.0/16 overlap; choose subnets that do not",
        ),
    ] {
        let error = model.create_network(request, id(2), 0, &[]).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        assert_eq!(model, before, "{message}");
    }
}

#[test]
fn a_vlan_needs_tunnels_that_carry_tags() {
    let mut model = model();
    add(&mut model, 1, overlay("plain", &[], &[]));
    add(
        &mut model,
        2,
        overlay("tagged", &[], &[(key::INNER_VLAN, "true")]),
    );
    let in_vlan = |n| AttachRequest {
        options: BTreeMap::from([(key::VLAN.to_owned(), "7".to_owned())]),
        ..to(n, "box")
    };
    assert_eq!(
        attach(&mut model, 1, in_vlan(1)).unwrap_err().to_string(),
        "option vswitch.vlan=7 does not go with a network whose tunnels carry no tags; make the network with \
         -o inner-vlan=true"
    );
    attach(&mut model, 1, in_vlan(2)).unwrap();
}

#[test]
fn ports_are_published_and_networks_routed_to_as_on_a_bridge() {
    let mut model = model();
    add(&mut model, 1, NetworkRequest::new("lan"));
    let options = [
        (key::ROUTE_TO, "lan"),
        (key::HOST_BINDING_IPV4, "192.0.2.1"),
    ];
    add(
        &mut model,
        2,
        overlay("web", &["10.1.0.0/24", "10.2.0.0/24"], &options),
    );
    for bridge in model.bridge_settings(id(2)).unwrap() {
        assert_eq!(bridge.policy.route_to, [id(1)]);
    }
    assert_eq!(only_bridge(&model, 1).policy.route_to, [id(2)]);
    let request = AttachRequest {
        ip: Some([10, 2, 0, 9].into()),
        publish: vec!["8080:80".parse().unwrap()],
        ..to(2, "box")
    };
    let endpoint = attach(&mut model, 1, request).unwrap();
    assert_eq!(endpoint.published.len(), 1);
    assert_eq!(endpoint.published[0].host_ip, ip("192.0.2.1"));
    assert_eq!(
        endpoint.target(&endpoint.published[0]),
        Some(ip("10.2.0.9"))
    );
}
