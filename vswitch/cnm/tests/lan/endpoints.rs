//! What is refused of endpoints on a NIC.

use vswitch_cnm::{AttachRequest, LanFace, NetworkRequest, PortSpec, option_key as key};

use super::{
    HOME, ON_ETH0, add, attach, endpoint_id, id, ipvlan, lan, macvlan, model, nic, restored, to,
};

fn with_option(request: AttachRequest, key: &str, value: &str) -> AttachRequest {
    AttachRequest {
        options: [(key.to_owned(), value.to_owned())].into(),
        ..request
    }
}

fn with_mac(request: AttachRequest, mac: &str) -> AttachRequest {
    AttachRequest {
        mac: Some(mac.parse().unwrap()),
        ..request
    }
}

#[test]
fn passthru_has_one_endpoint() {
    let mut model = model();
    let options = [ON_ETH0, (key::MACVLAN_MODE, "passthru")];
    add(&mut model, 1, macvlan("web", &[HOME], &options));
    let eth0 = nic("0a:00:00:00:00:01", &[]);
    let first = AttachRequest {
        parent: Some(eth0),
        ..with_mac(to(1, "box"), "0a:00:00:00:00:01")
    };
    let endpoint = attach(&mut model, 1, first).unwrap();
    assert_eq!(
        endpoint.mac.to_string(),
        "0a:00:00:00:00:01",
        "the parent's own"
    );
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert!(!port.anti_spoof, "whoever is behind it sends by it");
    let before = model.clone();
    let error = attach(&mut model, 2, to(1, "other")).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "passthru_in_use",
            "network web has one endpoint, as its mode is passthru, and sandbox box has it; detach that \
             first"
        )
    );
    assert_eq!(model, before);
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    model.remove_endpoint(endpoint_id(1)).unwrap();
    let checked = with_option(to(1, "other"), key::ANTI_SPOOF, "true");
    assert_eq!(
        attach(&mut model, 2, checked).unwrap_err().to_string(),
        "option vswitch.anti-spoof=true does not go with mode passthru, whose endpoint may send from any \
         address; leave it out"
    );
    attach(&mut model, 2, to(1, "other")).unwrap();
}

#[test]
fn who_shares_a_mac_address_cannot_choose_one() {
    let mut model = model();
    let mac = "0a:00:00:00:00:77";
    add(&mut model, 1, ipvlan("l2", &["10.1.0.0/24"], &[ON_ETH0]));
    let routed = [ON_ETH0, (key::IPVLAN_MODE, "l3s")];
    add(&mut model, 2, ipvlan("l3", &["10.2.0.0/24"], &routed));
    for (n, name) in [(1, "l2"), (2, "l3")] {
        let error = attach(&mut model, 1, with_mac(to(n, "box"), mac)).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string()),
            (
                "mac_not_chosen",
                format!(
                    "endpoints of network {name} have the parent's MAC address; leave --mac out"
                )
            )
        );
    }
    add(&mut model, 3, ipvlan("internal", &["10.3.0.0/24"], &[]));
    assert_eq!(lan(&model, 3).face, LanFace::Own);
    attach(&mut model, 3, with_mac(to(3, "box"), mac)).unwrap();
}

#[test]
fn refusals_say_what_and_why() {
    let mut model = model();
    add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0]));
    let before = model.clone();
    let published = AttachRequest {
        publish: vec!["80:80".parse::<PortSpec>().unwrap()],
        ..to(1, "box")
    };
    let outside = AttachRequest {
        ip: Some([10, 0, 0, 1].into()),
        ..to(1, "box")
    };
    for (request, code, message) in [
        (
            published,
            "not_publishable",
            "ports cannot be published on network web: its endpoints are reached at their own addresses, \
             with all their ports",
        ),
        (
            with_option(to(1, "box"), key::VLAN, "7"),
            "option_conflict",
            "option vswitch.vlan=7 does not go with a network on a NIC, whose endpoints are all in its one \
             VLAN; make a network with -o vlan=NUMBER",
        ),
        (
            outside,
            "address_outside_subnet",
            "address 10.0.0.1 is outside subnet 192.168.1.0/24; choose one inside",
        ),
        (
            to(1, "host"),
            "host_sandbox",
            "the host's own namespace cannot be attached to network web; the host reaches bridge networks \
             through their host port",
        ),
    ] {
        let error = attach(&mut model, 1, request).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        assert_eq!(model, before, "{message}");
    }
}

#[test]
fn options_of_endpoints_override_the_networks() {
    let mut model = model();
    add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0]));
    let trusted = with_option(to(1, "box"), key::ANTI_SPOOF, "false");
    let endpoint = attach(&mut model, 1, trusted).unwrap();
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert!(!port.anti_spoof && port.lan);
}

#[test]
fn a_sandbox_may_be_on_several_and_the_way_out_is_elected_among_them() {
    let mut model = model();
    let lan = super::with_gateway("192.168.1.1", macvlan("lan", &[HOME], &[ON_ETH0]));
    add(&mut model, 1, lan);
    add(&mut model, 2, NetworkRequest::new("bridge"));
    let routed = [ON_ETH0, (key::IPVLAN_MODE, "l3")];
    add(&mut model, 3, ipvlan("routed", &["10.3.0.0/24"], &routed));
    let sandbox = "box".parse().unwrap();
    let mut chosen = Vec::new();
    for (n, network) in [(1, 3), (2, 1), (3, 2)] {
        attach(&mut model, n, to(network, "box")).unwrap();
        let route = model.gateway_of(&sandbox).v4.unwrap();
        chosen.push((route.network, route.next_hop));
    }
    let via = |text| vswitch_cnm::NextHop::Router(super::ip(text));
    assert_eq!(
        chosen,
        [
            (id(3), vswitch_cnm::NextHop::Link),
            (id(1), via("192.168.1.1")),
            (id(2), via("172.17.0.1")),
        ]
    );
}
