//! How long endpoints' packets are.

use vswitch_cnm::{NetworkRequest, option_key as key};

use super::{
    HOME, ON_ETH0, add, attach, id, interfaces, ipvlan, macvlan, model, only_bridge, refusal,
    restored, to,
};

#[test]
fn endpoints_follow_their_parents_mtu() {
    for request in [
        macvlan("web", &[HOME], &[ON_ETH0]),
        ipvlan("web", &[HOME], &[ON_ETH0]),
        ipvlan("web", &[HOME], &[ON_ETH0, (key::IPVLAN_MODE, "l3")]),
    ] {
        let mut model = model();
        add(&mut model, 1, request);
        let endpoint = attach(&mut model, 1, to(1, "box")).unwrap().id;
        let mtus = |model: &vswitch_cnm::Model| {
            let port = model.port_settings(endpoint).unwrap().unwrap();
            assert_eq!(only_bridge(model, 1).mtu, port.mtu);
            port.mtu
        };
        assert_eq!(mtus(&model), 1500);
        let record = model.set_parent_mtu(id(1), Some(9000)).unwrap();
        assert_eq!(record.lan.unwrap().mtu, Some(9000));
        assert_eq!(mtus(&model), 9000);
        assert_eq!(restored(&model).as_ref(), Ok(&model));
        model.set_parent_mtu(id(1), None).unwrap();
        assert_eq!(mtus(&model), 1500);
    }
}

#[test]
fn an_option_makes_it_less_and_never_more() {
    for (subnets, chosen, parents, expected) in [
        (&[HOME][..], "1400", 1500, 1400),
        (&[HOME], "9000", 1500, 1500),
        (&[HOME], "9000", 9000, 9000),
        (&[HOME], "0", 9000, 9000),
        (&[HOME], "1400", 67, 68),
        (&[HOME], "0", 65_535, 65_521),
        (&[HOME, "fd01::/64"], "1400", 1279, 1280),
    ] {
        let mut interfaces = interfaces();
        interfaces.get_mut("eth0").unwrap().mtu = parents;
        let mut model = model();
        let request = NetworkRequest {
            interfaces,
            ..macvlan("web", subnets, &[ON_ETH0, (key::MTU, chosen)])
        };
        add(&mut model, 1, request);
        let mtu = only_bridge(&model, 1).mtu;
        assert_eq!(mtu, expected, "{chosen} on {parents}");
        if parents > 65_521 {
            model.set_parent_mtu(id(1), Some(u16::MAX)).unwrap();
            assert_eq!(only_bridge(&model, 1).mtu, expected);
        }
    }
    let mut model = model();
    add(
        &mut model,
        1,
        macvlan("web", &[HOME], &[(key::MTU, "9000")]),
    );
    assert_eq!(only_bridge(&model, 1).mtu, 9000);
}

#[test]
fn refusals_say_what_and_why() {
    let mut model = model();
    let short = macvlan("web", &[HOME, "fd01::/64"], &[ON_ETH0, (key::MTU, "1279")]);
    assert_eq!(
        refusal(&mut model, short).1,
        "option com.docker.network.driver.mtu=1279 does not go with IPv6; use 1280 or more"
    );
    add(&mut model, 1, NetworkRequest::new("web"));
    let error = model.set_parent_mtu(id(1), Some(1500)).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "not_on_parent",
            "network web is of driver bridge and has no parent; make one with -d macvlan"
        )
    );
    let gone = model.set_parent_mtu(id(9), None).unwrap_err();
    assert_eq!(gone.code(), "network_not_found");
}
