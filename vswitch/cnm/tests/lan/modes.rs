//! Modes, faces and what else the data path is told of a network on a NIC.

use vswitch_cnm::{
    BridgeSettings, LanFace, LanMode, LanSettings, NetworkRequest, NextHop, Policy,
    option_key as key,
};

use super::{
    HOME, ON_ETH0, add, attach, id, ip, ipvlan, lan, macvlan, model, net, only_bridge, refusal,
    restored, to, with_gateway,
};

#[test]
fn defaults_are_dockers() {
    let mut model = model();
    let request = with_gateway("192.168.1.1", macvlan("web", &[HOME], &[ON_ETH0]));
    let network = add(&mut model, 1, request);
    assert_eq!(network.subnets[0].gateway, Some(ip("192.168.1.1")));
    let bridge = only_bridge(&model, 1);
    assert_eq!(
        bridge,
        BridgeSettings {
            network: id(1),
            segment: 0,
            name: "web".into(),
            gateways: Vec::new(),
            gateway_mac: "02:01:01:01:01:01".parse().unwrap(),
            host_port: None,
            icc: true,
            internal: false,
            mtu: 1500,
            ageing_secs: 300,
            fdb_limit: 8192,
            snooping: false,
            offload: true,
            policy: Policy::default(),
            overlay: None,
            lan: Some(LanSettings {
                parent: Some("eth0".into()),
                vlan: None,
                service_tag: false,
                mode: LanMode::Bridge,
                face: LanFace::Own,
                host_access: None,
                check_conflicts: true,
                dhcp: false,
            }),
            l3: None,
        }
    );
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    assert_eq!(endpoint.addresses, [net("192.168.1.2/24")]);
    assert_eq!(endpoint.mac.to_string(), "02:42:c0:a8:01:02");
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert!(port.lan && port.anti_spoof && !port.slaac && !port.isolated);
    assert_eq!((port.mac, port.mtu, port.vlan), (endpoint.mac, 1500, None));
    assert_eq!(port.routes, []);
    let routes = model.gateway_of(endpoint.sandbox.as_ref().unwrap());
    let router = NextHop::Router(ip("192.168.1.1"));
    assert_eq!(routes.v4.map(|route| route.next_hop), Some(router));
    assert_eq!(restored(&model).as_ref(), Ok(&model));
}

#[test]
fn modes_and_faces_reach_the_data_path() {
    let seen = |request: NetworkRequest| {
        let mut model = model();
        add(&mut model, 1, request);
        let lan = lan(&model, 1);
        (lan.mode, lan.face)
    };
    for (given, expected) in [
        (
            (key::MACVLAN_MODE, "private"),
            (LanMode::Private, LanFace::Own),
        ),
        ((key::MACVLAN_MODE, "vepa"), (LanMode::Vepa, LanFace::Own)),
        (
            (key::MACVLAN_MODE, "passthru"),
            (LanMode::Passthru, LanFace::Own),
        ),
        (
            (key::MAC_NAT, "true"),
            (LanMode::Bridge, LanFace::Translated),
        ),
    ] {
        assert_eq!(seen(macvlan("web", &[HOME], &[ON_ETH0, given])), expected);
    }
    for (given, expected) in [
        ((key::IPVLAN_MODE, "l2"), (LanMode::Bridge, LanFace::Shared)),
        (
            (key::IPVLAN_FLAG, "private"),
            (LanMode::Private, LanFace::Shared),
        ),
        ((key::IPVLAN_FLAG, "vepa"), (LanMode::Vepa, LanFace::Shared)),
    ] {
        assert_eq!(seen(ipvlan("web", &[HOME], &[ON_ETH0, given])), expected);
    }
    assert_eq!(
        seen(ipvlan("web", &[HOME], &[])),
        (LanMode::Bridge, LanFace::Own),
        "there is no address to share"
    );
}

#[test]
fn a_network_without_parent_has_no_way_out_and_nobody_to_ask() {
    let mut model = model();
    let request = with_gateway("192.168.1.1", macvlan("web", &[HOME], &[]));
    let network = add(&mut model, 1, request);
    assert!(network.internal);
    assert!(!lan(&model, 1).check_conflicts);
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    assert_eq!(
        model.gateway_of(endpoint.sandbox.as_ref().unwrap()).v4,
        None
    );
    assert_eq!(restored(&model).as_ref(), Ok(&model));

    let internal = NetworkRequest {
        internal: true,
        ..with_gateway("10.0.0.1", macvlan("wired", &["10.0.0.0/24"], &[ON_ETH0]))
    };
    add(&mut model, 2, internal);
    assert!(lan(&model, 2).check_conflicts);
    let endpoint = attach(&mut model, 2, to(2, "other")).unwrap();
    assert_eq!(
        model.gateway_of(endpoint.sandbox.as_ref().unwrap()).v4,
        None
    );
}

#[test]
fn options_reach_the_data_path() {
    let mut model = model();
    let options = [
        ON_ETH0,
        (key::DAD, "false"),
        (key::OFFLOAD, "false"),
        (key::ANTI_SPOOF, "false"),
        (key::STORM_LIMIT, "100"),
        (key::IFACE_PREFIX, "lan"),
        (key::IPAM_SERIAL, "true"),
        (key::ENABLE_IPV6, "true"),
    ];
    add(
        &mut model,
        1,
        macvlan("web", &[HOME, "fd01::/64"], &options),
    );
    let bridge = only_bridge(&model, 1);
    assert!(!bridge.offload && !bridge.lan.unwrap().check_conflicts);
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    assert_eq!(endpoint.ifname.as_deref(), Some("lan0"));
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!((port.anti_spoof, port.storm_pps), (false, Some(100)));
    model.remove_endpoint(endpoint.id).unwrap();
    let endpoint = attach(&mut model, 2, to(1, "box")).unwrap();
    assert_eq!(super::addresses(&endpoint), "192.168.1.2/24 fd01::2/64");
}

#[test]
fn each_subnet_is_a_segment_of_the_same_lan() {
    let mut model = model();
    let subnets = ["10.1.0.0/24", "10.2.0.0/24", "fd02::/64", "fd03::/64"];
    let request = NetworkRequest {
        gateways: vec![ip("10.2.0.1"), ip("fd02::1")],
        ..macvlan("web", &subnets, &[(key::PARENT, "eth0.100")])
    };
    add(&mut model, 1, request);
    let bridges = model.bridge_settings(id(1)).unwrap();
    assert_eq!(bridges.len(), 2);
    assert_eq!(bridges[0].lan, bridges[1].lan);
    assert_ne!(bridges[0].gateway_mac, bridges[1].gateway_mac);
    let second = vswitch_cnm::AttachRequest {
        ip: Some([10, 2, 0, 9].into()),
        ..to(1, "box")
    };
    let endpoint = attach(&mut model, 1, second).unwrap();
    assert_eq!(super::addresses(&endpoint), "10.2.0.9/24 fd03::1/64");
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!((port.segment, port.routes.len()), (1, 0));
    assert_eq!(restored(&model).as_ref(), Ok(&model));
}

#[test]
fn segments_are_counted() {
    let subnets: Vec<String> = (0..257)
        .map(|n| format!("10.{}.{}.0/24", n / 256, n % 256))
        .collect();
    let subnets: Vec<&str> = subnets.iter().map(String::as_str).collect();
    assert_eq!(
        refusal(&mut model(), macvlan("web", &subnets, &[ON_ETH0])),
        (
            "segments_too_many",
            "network web would have 257 segments; 256 are allowed".to_owned()
        )
    );
}

#[test]
fn networks_on_a_nic_are_not_routed_to() {
    let mut model = model();
    add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0]));
    let named = NetworkRequest {
        options: [(key::ROUTE_TO.to_owned(), "web".to_owned())].into(),
        ..NetworkRequest::new("db")
    };
    assert_eq!(
        refusal(&mut model, named.clone()),
        (
            "route_to_invalid",
            "option vswitch.route-to: network web cannot be routed to: its gateway is on the physical \
             network"
                .to_owned()
        )
    );
    model.remove_network(id(1)).unwrap();
    add(&mut model, 2, NetworkRequest::new("web"));
    add(&mut model, 3, named);
    model.remove_network(id(2)).unwrap();
    add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0]));
    assert_eq!(only_bridge(&model, 3).policy.route_to, []);
}
