//! Ipvlan's modes l3 and l3s.

use vswitch_cnm::{
    AttachRequest, BridgeSettings, FamilyPolicy, GatewayMode, L3Settings, LanMode, Model,
    NetworkRequest, NextHop, option_key as key,
};

use super::{
    HOME, ON_ETH0, add, addresses, attach, id, ipvlan, model, net, only_bridge, refusal, restored,
    to, with_gateway,
};

fn routed(name: &str, subnets: &[&str], options: &[(&str, &str)]) -> NetworkRequest {
    let mode = [ON_ETH0, (key::IPVLAN_MODE, "l3")];
    ipvlan(name, subnets, &[&mode, options].concat())
}

#[test]
fn everything_in_and_out_is_untranslated() {
    for mode in ["l3", "l3s"] {
        let mut model = model();
        let request = ipvlan(
            "web",
            &["10.1.0.0/24", "fd01::/64"],
            &[ON_ETH0, (key::IPVLAN_MODE, mode)],
        );
        let network = add(&mut model, 1, request);
        assert_eq!(network.subnets[0].gateway, None);
        let bridge = only_bridge(&model, 1);
        assert_eq!(
            bridge.l3,
            Some(L3Settings {
                parent: "eth0".into(),
                subnets: vec![net("10.1.0.0/24"), net("fd01::/64")],
                flag: LanMode::Bridge,
                scope: None,
            })
        );
        assert_eq!((&bridge.lan, &bridge.host_port), (&None, &None));
        assert_eq!((bridge.gateways.len(), bridge.mtu), (0, 1500));
        let open = FamilyPolicy {
            mode: GatewayMode::NatUnprotected,
            masquerade: false,
            source: None,
        };
        assert_eq!((bridge.policy.v4, bridge.policy.v6), (open, open));

        let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
        assert_eq!(addresses(&endpoint), "10.1.0.1/24 fd01::1/64");
        let port = model.port_settings(endpoint.id).unwrap().unwrap();
        assert!(!port.lan && port.anti_spoof && port.routes.is_empty());
        let gateways = model.gateway_of(endpoint.sandbox.as_ref().unwrap());
        for route in [gateways.v4, gateways.v6] {
            assert_eq!(route.map(|route| route.next_hop), Some(NextHop::Link));
        }
        assert_eq!(restored(&model).as_ref(), Ok(&model));
    }
}

#[test]
fn subnets_are_segments_that_reach_each_other() {
    let mut model = model();
    let subnets = ["10.1.0.0/24", "10.2.0.0/24", "fd01::/64"];
    add(&mut model, 1, routed("web", &subnets, &[]));
    let private = [(key::IPVLAN_FLAG, "private")];
    add(
        &mut model,
        2,
        routed("dmz", &["10.3.0.0/24", "10.4.0.0/24"], &private),
    );
    let in_second = |ip: [u8; 4], n| AttachRequest {
        ip: Some(ip.into()),
        ..to(n, "box")
    };
    let routes = |model: &mut Model, n, request| {
        let endpoint = attach(model, n, request).unwrap();
        let port = model.port_settings(endpoint.id).unwrap().unwrap();
        (port.segment, port.routes)
    };
    assert_eq!(
        routes(&mut model, 1, in_second([10, 2, 0, 9], 1)),
        (1, vec![(net("10.1.0.0/24"), NextHop::Link)]),
        "it has no IPv6 address to send from"
    );
    assert_eq!(
        routes(&mut model, 2, in_second([10, 4, 0, 9], 2)),
        (1, vec![])
    );
    let default = model.gateway_of(&"box".parse().unwrap());
    assert_eq!(default.v6, None);
}

#[test]
fn segments_on_one_parent_reach_each_other_unless_private() {
    let mut model = model();
    let internal = |request| NetworkRequest {
        internal: true,
        ..request
    };
    let private = [(key::IPVLAN_FLAG, "private")];
    let on_eth1 = [(key::PARENT, "eth1"), (key::IPVLAN_MODE, "l3")];
    add(
        &mut model,
        1,
        routed("a", &["10.1.0.0/24", "10.2.0.0/24"], &[]),
    );
    add(&mut model, 2, routed("b", &["10.3.0.0/24"], &[]));
    add(&mut model, 3, routed("private", &["10.4.0.0/24"], &private));
    add(&mut model, 4, ipvlan("eth1", &["10.5.0.0/24"], &on_eth1));
    add(
        &mut model,
        5,
        internal(routed("in", &["10.6.0.0/24", "10.7.0.0/24"], &[])),
    );
    add(&mut model, 6, ipvlan("l2", &["10.8.0.0/24"], &[ON_ETH0]));
    let all: Vec<BridgeSettings> = (1..=6)
        .flat_map(|n| model.bridge_settings(id(n)).unwrap())
        .collect();
    let name = |bridge: &BridgeSettings| format!("{}{}", bridge.name, bridge.segment);
    let reached = |from: &BridgeSettings| {
        let l3 = from.l3.as_ref();
        let to = all.iter().filter(|to| l3.is_some_and(|l3| l3.reaches(to)));
        let names: Vec<String> = to.map(name).collect();
        format!("{}: {}", name(from), names.join(" "))
    };
    assert_eq!(
        all.iter().map(reached).collect::<Vec<_>>(),
        [
            "a0: a0 a1 b0",
            "a1: a0 a1 b0",
            "b0: a0 a1 b0",
            "private0: ",
            "eth10: eth10",
            "in0: in0 in1",
            "in1: in0 in1",
            "l20: ",
        ]
    );
    let endpoint = attach(&mut model, 1, to(5, "box")).unwrap();
    assert_eq!(
        model.gateway_of(endpoint.sandbox.as_ref().unwrap()).v4,
        None
    );
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!(port.routes, [(net("10.7.0.0/24"), NextHop::Link)]);
}

#[test]
fn refusals_say_what_and_why() {
    for (request, code, message) in [
        (
            with_gateway("10.1.0.1", routed("web", &["10.1.0.0/24"], &[])),
            "gateway_routed",
            "gateway 10.1.0.1 is given, but ipvlan mode l3 has none: endpoints send everything to the \
             host; leave it out",
        ),
        (
            ipvlan("web", &[HOME], &[(key::IPVLAN_MODE, "l3")]),
            "parent_missing",
            "ipvlan mode l3 needs a parent; add -o parent=NIC",
        ),
        (
            routed("web", &[HOME], &[(key::PARENT, "eth0.100")]),
            "option_conflict",
            "option vlan=100 does not go with ipvlan mode l3, whose packets leave by the host's routes; \
             make the VLAN an interface of the host, and give that as parent",
        ),
        (
            routed("web", &[HOME], &[(key::IPVLAN_FLAG, "vepa")]),
            "option_conflict",
            "option ipvlan_flag=vepa does not go with ipvlan mode l3: packets between endpoints would \
             leave by the parent for a router to send back, and their router is this host itself; use \
             bridge or private",
        ),
        (
            routed("web", &[HOME], &[(key::HOST_ACCESS, "true")]),
            "option_conflict",
            "option host_access=true does not go with ipvlan mode l3, whose endpoints and the host do not \
             reach each other; leave it out",
        ),
    ] {
        assert_eq!(refusal(&mut model(), request), (code, message.to_owned()));
    }
    let mut model = model();
    let tagged = [(key::PARENT, "eth1.7"), (key::IPVLAN_MODE, "l3")];
    add(&mut model, 1, ipvlan("web", &["10.1.0.0/24"], &tagged));
    assert_eq!(only_bridge(&model, 1).l3.unwrap().parent, "eth1.7");
}

#[test]
fn other_networks_may_exchange_packets_with_it() {
    let mut model = model();
    add(&mut model, 1, routed("l3", &["10.1.0.0/24"], &[]));
    let named = NetworkRequest {
        options: [(key::ROUTE_TO.to_owned(), "l3".to_owned())].into(),
        ..NetworkRequest::new("db")
    };
    add(&mut model, 2, named);
    assert_eq!(only_bridge(&model, 1).policy.route_to, [id(2)]);
    assert_eq!(only_bridge(&model, 2).policy.route_to, [id(1)]);
}
