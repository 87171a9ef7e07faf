//! Several subnets in one network.

use vswitch_cnm::{AttachRequest, BridgeSettings, Endpoint, EndpointId, NetworkRequest, NextHop};

use super::{add, attach, id, ip, model, net, overlay, restored, three_segments, to};

#[test]
fn subnets_are_segments_with_a_gateway_and_a_number_each() {
    let mut model = model();
    add(&mut model, 1, three_segments());
    let bridges = model.bridge_settings(id(1)).unwrap();
    let of = |bridge: &BridgeSettings| {
        let gateways: Vec<String> = bridge.gateways.iter().map(ToString::to_string).collect();
        let vni = bridge.overlay.as_ref().unwrap().vni;
        (
            bridge.id().index,
            gateways.join(" "),
            vni,
            bridge.host_port.clone().unwrap(),
        )
    };
    assert_eq!(
        bridges.iter().map(of).collect::<Vec<_>>(),
        [
            (
                0,
                "10.1.0.1/30 fd01::1/64".into(),
                4096,
                "br-010101010101".into()
            ),
            (
                1,
                "10.2.0.1/24 fd02::1/64".into(),
                4097,
                "br-0101010101-1".into()
            ),
            (2, "fd03::1/64".into(), 4098, "br-0101010101-2".into()),
        ]
    );
    assert_eq!(bridges[1].gateway_mac.to_string(), "02:42:0a:02:00:01");
    assert_eq!(bridges[2].gateway_mac.to_string(), "02:42:00:00:10:02");
}

#[test]
fn endpoints_are_on_the_segment_of_their_addresses_or_the_first_with_room() {
    let mut model = model();
    add(&mut model, 1, three_segments());
    let addresses = |endpoint: &Endpoint| {
        let addresses = endpoint.addresses.iter().map(ToString::to_string);
        addresses.collect::<Vec<_>>().join(" ")
    };
    let first = attach(&mut model, 1, to(1, "a")).unwrap();
    assert_eq!(addresses(&first), "10.1.0.2/30 fd01::2/64");
    let second = attach(&mut model, 2, to(1, "b")).unwrap();
    assert_eq!(
        addresses(&second),
        "10.2.0.2/24 fd02::2/64",
        "the first is full"
    );
    assert!(
        !model
            .address_space()
            .pool("web", net("fd01::/64"))
            .unwrap()
            .is_in_use(ip("fd01::3"))
    );
    let third = AttachRequest {
        ip6: Some("fd03::9".parse().unwrap()),
        ..to(1, "c")
    };
    let third = attach(&mut model, 3, third).unwrap();
    assert_eq!(addresses(&third), "fd03::9/64");

    let before = model.clone();
    let apart = AttachRequest {
        ip: Some([10, 2, 0, 9].into()),
        ip6: Some("fd01::9".parse().unwrap()),
        ..to(1, "d")
    };
    assert_eq!(
        attach(&mut model, 4, apart).unwrap_err().code(),
        "addresses_apart"
    );
    let outside = AttachRequest {
        ip: Some([10, 3, 0, 9].into()),
        ..to(1, "d")
    };
    assert_eq!(
        attach(&mut model, 4, outside).unwrap_err().to_string(),
        "address 10.3.0.9 is in none of network web's subnets 10.1.0.0/30, 10.2.0.0/24; choose one inside"
    );
    assert_eq!(model, before);

    let segment = |endpoint: &Endpoint| {
        let port = model.port_settings(endpoint.id).unwrap().unwrap();
        assert_eq!(port.segment_id().network, id(1));
        port.segment
    };
    assert_eq!([&first, &second, &third].map(segment), [0, 1, 2]);
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    for n in 1..=3 {
        model
            .remove_endpoint(EndpointId::from_octets([n; 32]))
            .unwrap();
    }
    let mut fresh = super::model();
    add(&mut fresh, 1, three_segments());
    assert_eq!(model, fresh);
}

#[test]
fn a_full_network_says_so_of_its_first_segment() {
    let mut model = model();
    add(
        &mut model,
        1,
        overlay("web", &["10.1.0.0/30", "10.2.0.0/30"], &[]),
    );
    attach(&mut model, 1, to(1, "a")).unwrap();
    attach(&mut model, 2, to(1, "b")).unwrap();
    let before = model.clone();
    let error = attach(&mut model, 3, to(1, "c")).unwrap_err();
    assert_eq!(error.code(), "addresses_exhausted");
    assert!(error.to_string().contains("10.1.0.0/30"), "{error}");
    assert_eq!(model, before);
}

#[test]
fn siblings_are_reached_by_the_gateway_of_ones_own_segment() {
    let router = |text: &str| NextHop::Router(ip(text));
    for internal in [false, true] {
        let mut model = model();
        let request = NetworkRequest {
            internal,
            ..three_segments()
        };
        add(&mut model, 1, request);
        let second = AttachRequest {
            ip: Some([10, 2, 0, 9].into()),
            ..to(1, "box")
        };
        let endpoint = attach(&mut model, 1, second).unwrap();
        let port = model.port_settings(endpoint.id).unwrap().unwrap();
        assert_eq!(
            port.routes,
            [
                (net("10.1.0.0/30"), router("10.2.0.1")),
                (net("fd01::/64"), router("fd02::1")),
                (net("fd03::/64"), router("fd02::1")),
            ]
        );
        let way_out = model.gateway_of(endpoint.sandbox.as_ref().unwrap());
        let hop = |hop: &str| (!internal).then(|| router(hop));
        assert_eq!(way_out.v4.map(|choice| choice.next_hop), hop("10.2.0.1"));
        assert_eq!(way_out.v6.map(|choice| choice.next_hop), hop("fd02::1"));
    }
}
