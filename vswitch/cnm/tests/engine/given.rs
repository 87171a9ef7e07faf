//! Networks whose endpoints' addresses are given.

use vswitch_cnm::{
    AttachRequest, DriverName, HostInterface, Ipam, IpamPlugin, NetworkRequest, PluginPool,
    option_key as key,
};

use super::{
    add, create, engines, exact, given, id, ip, lend, model, net, refusal, restored, with_subnets,
};

#[test]
fn what_is_given_is_taken_and_nothing_else() {
    let mut model = model();
    let network = add(&mut model, 1, given("web", &["10.1.0.0/24", "fd01::/64"]));
    assert_eq!(network.subnets[0].gateway, Some(ip("10.1.0.1")));
    assert_eq!(network.subnets[1].gateway, Some(ip("fd01::1")));
    let addresses = |request| {
        let endpoint = create(&mut model, 1, request).unwrap();
        model.remove_endpoint(endpoint.id).unwrap();
        endpoint.addresses
    };
    let both = AttachRequest {
        ip6: Some("fd01::9".parse().unwrap()),
        ..engines(1, Some("10.1.0.9"))
    };
    let mut addresses = addresses;
    assert_eq!(addresses(both), [net("10.1.0.9/24"), net("fd01::9/64")]);
    assert_eq!(
        addresses(engines(1, Some("10.1.0.9"))),
        [net("10.1.0.9/24")]
    );
    assert_eq!(addresses(engines(1, Some("fd01::9"))), [net("fd01::9/64")]);
}

#[test]
fn what_cannot_be_given_is_refused() {
    let mut model = model();
    let request = NetworkRequest {
        aux_addresses: vec![("nas".into(), ip("10.1.0.8"))],
        ..given("web", &["10.1.0.0/24"])
    };
    add(&mut model, 1, request);
    create(&mut model, 1, engines(1, Some("10.1.0.9"))).unwrap();
    for (address, code, message) in [
        (
            None,
            "address_missing",
            "addresses of network web are given by whoever attaches, such as Docker; name one with --ip",
        ),
        (
            Some("10.1.0.1"),
            "address_in_use",
            "address 10.1.0.1 is the gateway's of subnet 10.1.0.0/24; choose another",
        ),
        (
            Some("10.1.0.8"),
            "address_in_use",
            "address 10.1.0.8 is aux-address nas of subnet 10.1.0.0/24; choose another",
        ),
        (
            Some("10.1.0.9"),
            "address_in_use",
            "address 10.1.0.9 is already in use in subnet 10.1.0.0/24; choose another",
        ),
        (
            Some("10.2.0.9"),
            "address_outside_subnet",
            "address 10.2.0.9 is outside subnet 10.1.0.0/24; choose one inside",
        ),
        (
            Some("fd01::9"),
            "address_without_subnet",
            "address fd01::9: network web has no IPv6 subnet; leave the address out",
        ),
    ] {
        let request = engines(1, address);
        let refused = refusal(&mut model, |model| create(model, 2, request));
        assert_eq!(refused, (code, message.into()));
    }
}

#[test]
fn subnets_are_given_too() {
    let mut model = model();
    for subnets in [&[][..], &["0.0.0.0/24"], &["10.1.0.0/24", "::/80"]] {
        for driver in [DriverName::Bridge, DriverName::Overlay] {
            let request = NetworkRequest {
                driver,
                ..given("web", subnets)
            };
            let refused = refusal(&mut model, |model| {
                model.create_network(request, id(1), 0, &[])
            });
            assert_eq!(refused.0, "subnet_missing", "{subnets:?}");
        }
    }
    let network = add(&mut model, 1, given("web", &["fd01::/64"]));
    assert_eq!(network.subnets.len(), 1, "no IPv4 subnet is chosen");
    let dhcp = NetworkRequest {
        ipam: Ipam::Dhcp,
        ..NetworkRequest::new("lan")
    };
    let refused = refusal(&mut model, |model| {
        model.create_network(dhcp, id(2), 0, &[])
    });
    assert_eq!(refused.0, "dhcp_invalid");
}

#[test]
fn without_a_lent_pool_a_given_subnet_is_held_as_any() {
    let mut model = model();
    add(&mut model, 1, given("web", &["172.17.0.0/16"]));
    assert_eq!(
        refusal(&mut model, |model| model
            .lend_pool(exact("172.17.0.0/16"), &[])),
        (
            "subnet_overlap",
            "subnet 172.17.0.0/16 is already in use by web; choose another, or remove web".into()
        )
    );
    let next = add(&mut model, 2, NetworkRequest::new("next"));
    assert_eq!(next.subnets[0].subnet, net("172.18.0.0/16"));
}

#[test]
fn networks_on_a_nic_take_given_addresses() {
    let nic = HostInterface {
        mac: Some("0a:00:00:00:00:01".parse().unwrap()),
        mtu: 1500,
        up: true,
        carrier: true,
        ours: false,
        addresses: vec![net("192.168.1.5/24")],
    };
    let on_nic = |name: &str| NetworkRequest {
        driver: DriverName::Macvlan,
        gateways: vec![ip("192.168.1.1")],
        options: [(key::PARENT.to_owned(), "eth0".to_owned())].into(),
        interfaces: [("eth0".to_owned(), nic.clone())].into(),
        ..given(name, &["192.168.1.0/24"])
    };
    let mut model = model();
    // The host has a route to the very subnet, which is the NIC's.
    let route = [net("192.168.1.0/24")];
    lend(&mut model, exact("192.168.1.0/24"));
    for (n, name) in [(1, "lan"), (2, "same")] {
        model
            .create_network(on_nic(name), id(n), 0, &route)
            .unwrap();
    }
    let bridge = given("web", &["192.168.1.0/24"]);
    let refused = refusal(&mut model, |model| {
        model.create_network(bridge, id(3), 0, &route)
    });
    assert_eq!(refused.0, "subnet_overlap");

    create(&mut model, 1, engines(1, Some("192.168.1.9"))).unwrap();
    let parents = AttachRequest {
        parent: Some(nic.clone()),
        ..engines(2, Some("192.168.1.5"))
    };
    for request in [
        engines(2, Some("192.168.1.9")),
        engines(2, Some("192.168.1.1")),
        parents,
    ] {
        let refused = refusal(&mut model, |model| create(model, 2, request));
        assert_eq!(refused.0, "address_in_use", "{}", refused.1);
    }
    assert_eq!(restored(&model), model);
    model.return_pool("vswitch/192.168.1.0/24").unwrap();
    assert_eq!(restored(&model), model);
}

#[test]
fn an_ipam_plugins_addresses_are_given() {
    let with_pools = |pools: &[&str]| NetworkRequest {
        ipam: Ipam::Plugin(IpamPlugin {
            name: "infoblox".into(),
            pools: pools
                .iter()
                .map(|subnet| PluginPool {
                    id: format!("pool of {subnet}"),
                    subnet: net(subnet),
                })
                .collect(),
            ..IpamPlugin::default()
        }),
        ..with_subnets("web", &["10.1.0.0/24", "fd01::/64"])
    };
    let mut model = model();
    let request = with_pools(&["10.1.0.0/24"]);
    assert_eq!(
        refusal(&mut model, |model| model.create_network(
            request,
            id(1),
            0,
            &[]
        )),
        (
            "plugin_invalid",
            "network web needs a pool of IPAM plugin infoblox for each of its subnets".into()
        )
    );
    let network = add(&mut model, 1, with_pools(&["10.1.0.0/24", "fd01::/64"]));
    let Ipam::Plugin(plugin) = &network.ipam else {
        panic!("{:?}", network.ipam);
    };
    let pool = |address| plugin.pool_with(ip(address)).map(|pool| pool.id.as_str());
    assert_eq!(pool("fd01::9"), Some("pool of fd01::/64"));
    assert_eq!(pool("10.2.0.9"), None);
    let refused = refusal(&mut model, |model| create(model, 1, engines(1, None)));
    assert_eq!(refused.0, "address_missing");
    create(&mut model, 1, engines(1, Some("10.1.0.9"))).unwrap();
    assert_eq!(restored(&model), model);
}

#[test]
fn an_ipam_plugins_subnet_is_not_dockers() {
    let mut model = model();
    lend(&mut model, exact("10.1.0.0/24"));
    let request = NetworkRequest {
        ipam: Ipam::Plugin(IpamPlugin {
            name: "infoblox".into(),
            pools: vec![PluginPool {
                id: "p".into(),
                subnet: net("10.1.0.0/24"),
            }],
            ..IpamPlugin::default()
        }),
        ..with_subnets("web", &["10.1.0.0/24"])
    };
    let refused = refusal(&mut model, |model| {
        model.create_network(request, id(1), 0, &[])
    });
    assert_eq!(refused.0, "subnet_overlap");
}
