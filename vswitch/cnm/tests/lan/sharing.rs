//! Several networks on one link: the same subnet, and each address and MAC address once.

use vswitch_cnm::{AttachRequest, Network, NetworkRequest, option_key as key};

use super::{
    HOME, ON_ETH0, add, addresses, attach, endpoint_id, id, ipvlan, macvlan, model, net, nic,
    refusal, restored, to, with_gateway,
};

fn at(parent: &'static str) -> (&'static str, &'static str) {
    (key::PARENT, parent)
}

/// Three networks in three ways on eth0, all with the subnet and the router that are there.
fn three() -> [NetworkRequest; 3] {
    let ranged = NetworkRequest {
        ip_ranges: vec![net("192.168.1.128/25")],
        ..ipvlan("c", &[HOME], &[ON_ETH0])
    };
    [
        macvlan("a", &[HOME], &[ON_ETH0]),
        macvlan("b", &[HOME], &[ON_ETH0, (key::MACVLAN_MODE, "private")]),
        ranged,
    ]
    .map(|request| with_gateway("192.168.1.1", request))
}

#[test]
fn an_address_taken_in_one_is_taken_in_all() {
    let mut model = model();
    for (n, request) in (1..).zip(three()) {
        add(&mut model, n, request);
    }
    let before = model.clone();
    let mut given = Vec::new();
    for (n, network) in (1..).zip([1, 2, 3, 1, 3]) {
        let endpoint = attach(&mut model, n, to(network, &format!("box{n}"))).unwrap();
        given.push(addresses(&endpoint));
    }
    assert_eq!(
        given,
        [
            "192.168.1.2/24",
            "192.168.1.3/24",
            "192.168.1.128/24",
            "192.168.1.4/24",
            "192.168.1.129/24",
        ]
    );
    for (network, address, message) in [
        (
            1,
            [192, 168, 1, 128],
            "address 192.168.1.128 is already in use in subnet 192.168.1.0/24; choose another",
        ),
        (
            3,
            [192, 168, 1, 2],
            "address 192.168.1.2 is already in use in subnet 192.168.1.0/24; choose another",
        ),
        (
            2,
            [192, 168, 1, 1],
            "address 192.168.1.1 is the gateway's of subnet 192.168.1.0/24; choose another",
        ),
    ] {
        let chosen = AttachRequest {
            ip: Some(address.into()),
            ..to(network, "new")
        };
        let error = attach(&mut model, 9, chosen).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("address_in_use", message)
        );
    }
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    for n in 1..=5 {
        model.remove_endpoint(endpoint_id(n)).unwrap();
    }
    assert_eq!(model, before);
}

#[test]
fn what_stays_of_a_link_is_what_the_others_hold() {
    let mut model = model();
    for (n, request) in (1..).zip(three()) {
        add(&mut model, n, request);
    }
    attach(&mut model, 1, to(2, "box")).unwrap();
    model.remove_network(id(1)).unwrap();
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    let taken = AttachRequest {
        ip: Some([192, 168, 1, 1].into()),
        ..to(2, "other")
    };
    assert_eq!(
        attach(&mut model, 2, taken).unwrap_err().code(),
        "address_in_use"
    );
    model.remove_endpoint(endpoint_id(1)).unwrap();
    for n in [2, 3] {
        model.remove_network(id(n)).unwrap();
    }
    assert_eq!(model, super::model());
}

#[test]
fn a_new_network_sets_aside_what_nobody_uses() {
    let mut model = model();
    add(&mut model, 1, macvlan("a", &[HOME], &[ON_ETH0]));
    assert_eq!(
        addresses(&attach(&mut model, 1, to(1, "box")).unwrap()),
        "192.168.1.1/24"
    );
    let request = with_gateway("192.168.1.1", ipvlan("b", &[HOME], &[ON_ETH0]));
    assert_eq!(
        refusal(&mut model, request),
        (
            "address_in_use",
            "address 192.168.1.1 is already in use in subnet 192.168.1.0/24; choose another"
                .to_owned()
        )
    );
}

#[test]
fn subnets_are_shared_on_one_link_alone() {
    let mut model = model();
    add(&mut model, 1, macvlan("a", &[HOME], &[ON_ETH0]));
    let taken = "subnet 192.168.1.0/24 is already in use by a; choose another, or remove a";
    for (request, message) in [
        (
            macvlan("b", &["192.168.1.128/25"], &[ON_ETH0]),
            "subnet 192.168.1.128/25 overlaps 192.168.1.0/24 of a on the same link; give --subnet \
             192.168.1.0/24, and --ip-range for a part of it",
        ),
        (macvlan("b", &[HOME], &[at("eth1")]), taken),
        (macvlan("b", &[HOME], &[at("eth0.100")]), taken),
        (macvlan("b", &[HOME], &[]), taken),
        (
            ipvlan("b", &[HOME], &[ON_ETH0, (key::IPVLAN_MODE, "l3")]),
            taken,
        ),
        (
            NetworkRequest {
                subnets: vec![net(HOME)],
                ..NetworkRequest::new("b")
            },
            taken,
        ),
    ] {
        let refused = refusal(&mut model, request);
        assert_eq!(refused, ("subnet_overlap", message.to_owned()));
    }
    model.remove_network(id(1)).unwrap();
    let tagged = [at("eth0.100")];
    let service = [at("eth0.100"), (key::VLAN_PROTOCOL, "802.1ad")];
    add(&mut model, 1, macvlan("a", &[HOME], &tagged));
    add(&mut model, 2, ipvlan("b", &[HOME], &tagged));
    let refused = refusal(&mut model, macvlan("c", &[HOME], &service));
    assert_eq!(refused.0, "subnet_overlap");
}

#[test]
fn a_mac_address_is_on_a_link_once() {
    let mut model = model();
    add(&mut model, 1, macvlan("a", &["10.1.0.0/24"], &[ON_ETH0]));
    add(
        &mut model,
        2,
        macvlan("b", &["10.2.0.0/24"], &[ON_ETH0, (key::MAC_NAT, "true")]),
    );
    add(
        &mut model,
        3,
        macvlan("c", &["10.3.0.0/24"], &[at("eth0.100")]),
    );
    let with_mac = |network, mac: &str, sandbox| AttachRequest {
        mac: Some(mac.parse().unwrap()),
        ..to(network, sandbox)
    };
    // What the first endpoint of b would get.
    let mac = "02:42:0a:02:00:01";
    attach(&mut model, 1, with_mac(1, mac, "box")).unwrap();
    assert_eq!(
        attach(&mut model, 2, with_mac(2, mac, "other"))
            .unwrap_err()
            .to_string(),
        "MAC address 02:42:0a:02:00:01 is already in use on network a; choose another"
    );
    let stepped = attach(&mut model, 2, to(2, "other")).unwrap();
    assert_eq!(addresses(&stepped), "10.2.0.1/24");
    assert_ne!(stepped.mac.to_string(), mac);
    attach(&mut model, 3, with_mac(3, mac, "box")).unwrap();
    assert_eq!(restored(&model).as_ref(), Ok(&model));
}

#[test]
fn what_the_parent_has_no_endpoint_gets() {
    let mut model = model();
    add(&mut model, 1, macvlan("a", &["192.168.1.4/30"], &[ON_ETH0]));
    let eth0 = nic("02:42:c0:a8:01:06", &["192.168.1.5/24"]);
    let beside = |request| AttachRequest {
        parent: Some(eth0.clone()),
        ..request
    };
    let chosen = AttachRequest {
        ip: Some([192, 168, 1, 5].into()),
        ..to(1, "box")
    };
    let error = attach(&mut model, 1, beside(chosen)).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "address_in_use",
            "address 192.168.1.5 is the host's own on the parent; choose another"
        )
    );
    let chosen = AttachRequest {
        mac: eth0.mac,
        ..to(1, "box")
    };
    let error = attach(&mut model, 1, beside(chosen)).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "mac_in_use",
            "MAC address 02:42:c0:a8:01:06 is the parent's own; choose another"
        )
    );
    let endpoint = attach(&mut model, 1, beside(to(1, "box"))).unwrap();
    assert_eq!(addresses(&endpoint), "192.168.1.6/30");
    assert_eq!(
        endpoint.mac.to_string(),
        "02:01:01:01:01:02",
        "the host port's is before"
    );
    let before = model.clone();
    let full = attach(&mut model, 2, beside(to(1, "other"))).unwrap_err();
    assert_eq!(full.code(), "addresses_exhausted");
    assert_eq!(model, before);

    let tagged = macvlan("b", &["192.168.2.4/30"], &[at("eth0.100")]);
    add(&mut model, 2, tagged);
    let own = AttachRequest {
        parent: Some(nic("0a:00:00:00:00:01", &["192.168.2.5/24"])),
        ..to(2, "box")
    };
    let endpoint = attach(&mut model, 2, own).unwrap();
    assert_eq!(
        addresses(&endpoint),
        "192.168.2.5/30",
        "the VLAN is another link"
    );
}

#[test]
fn records_of_networks_that_contradict_each_other_are_refused() {
    let mut model = model();
    let a = add(&mut model, 1, macvlan("a", &[HOME], &[ON_ETH0]));
    let mut b = Network {
        id: id(2),
        name: "b".into(),
        ..a
    };
    b.lan.as_mut().unwrap().parent = Some("eth1".into());
    let networks = model.networks().cloned().chain([b]);
    let error = vswitch_cnm::Model::restore(model.settings().clone(), networks, [], [], []);
    assert_eq!(error.unwrap_err().reason.code(), "subnet_overlap");
}
