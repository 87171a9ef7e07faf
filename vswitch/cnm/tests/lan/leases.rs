//! Addresses that a DHCP server chooses.

use vswitch_cnm::{
    AttachRequest, DriverName, Endpoint, EndpointId, Ipam, Lease, Model, NetworkRequest, NextHop,
    option_key as key,
};

use super::{
    HOME, ON_ETH0, add, addresses, attach, endpoint_id, id, ip, ipvlan, lan, lease, leased,
    macvlan, model, net, on_nic, only_bridge, refusal, restored, to, with_gateway,
};

/// A network with leases, and one endpoint on it without any.
fn waiting() -> (Model, Endpoint) {
    let mut model = model();
    add(&mut model, 1, leased("web"));
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    (model, endpoint)
}

fn way_out(model: &Model, endpoint: &Endpoint) -> Option<NextHop> {
    let gateways = model.gateway_of(endpoint.sandbox.as_ref().unwrap());
    gateways.v4.map(|choice| choice.next_hop)
}

#[test]
fn an_endpoint_begins_without_address_and_has_what_is_lent() {
    let (mut model, endpoint) = waiting();
    let network = model.network(id(1)).unwrap();
    assert_eq!((&network.ipam, network.subnets.len()), (&Ipam::Dhcp, 0));
    assert!(lan(&model, 1).dhcp && only_bridge(&model, 1).host_port.is_none());
    assert_eq!((endpoint.addresses.len(), &endpoint.lease), (0, &None));
    assert!(endpoint.mac.is_valid_source());
    assert_eq!(way_out(&model, &endpoint), None);
    assert_eq!(restored(&model).as_ref(), Ok(&model));

    let record = model
        .set_lease(endpoint.id, Some(lease("192.168.1.50")))
        .unwrap();
    assert_eq!(record.addresses, [net("192.168.1.50/24")]);
    assert_eq!(model.endpoint(endpoint.id), Some(&record));
    let router = NextHop::Router(ip("192.168.1.1"));
    assert_eq!(way_out(&model, &endpoint), Some(router));
    let port = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!(
        (port.segment, port.addresses),
        (0, vec![ip("192.168.1.50")])
    );
    assert!(port.anti_spoof && !port.slaac);
    assert_eq!(restored(&model).as_ref(), Ok(&model));

    let other = Lease {
        router: None,
        ..lease("192.168.1.51")
    };
    let record = model.set_lease(endpoint.id, Some(other.clone())).unwrap();
    assert_eq!(addresses(&record), "192.168.1.51/24");
    assert_eq!(record.lease, Some(other));
    assert_eq!(way_out(&model, &endpoint), None);
    let record = model.set_lease(endpoint.id, None).unwrap();
    assert_eq!((record.addresses.len(), record.lease), (0, None));
    let removed = model.remove_endpoint(endpoint.id).unwrap();
    assert_eq!(removed.endpoint.addresses, []);
}

#[test]
fn an_internal_network_with_leases_has_no_way_out() {
    let mut model = model();
    let internal = NetworkRequest {
        internal: true,
        ..leased("web")
    };
    add(&mut model, 1, internal);
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
    model
        .set_lease(endpoint.id, Some(lease("192.168.1.50")))
        .unwrap();
    assert_eq!(way_out(&model, &endpoint), None);
}

#[test]
fn ipv6_is_the_endpoints_own_matter() {
    for (ipv6, option, expected) in [
        (false, None, false),
        (true, None, true),
        (false, Some("true"), true),
        (true, Some("false"), false),
    ] {
        let mut model = model();
        let mut request = NetworkRequest {
            ipv6,
            ..leased("web")
        };
        let option = option.map(|value| (key::ENABLE_IPV6.to_owned(), value.to_owned()));
        request.options.extend(option);
        let network = add(&mut model, 1, request);
        assert_eq!(network.ipv6, expected);
        let endpoint = attach(&mut model, 1, to(1, "box")).unwrap();
        let port = model.port_settings(endpoint.id).unwrap().unwrap();
        assert_eq!((port.slaac, port.addresses), (expected, vec![]));
        assert_eq!(restored(&model).as_ref(), Ok(&model));
    }
}

#[test]
fn what_the_server_chooses_nobody_else_does() {
    let (mut model, _) = waiting();
    let before = model.clone();
    for (request, message) in [
        (
            AttachRequest {
                ip: Some([192, 168, 1, 9].into()),
                ..to(1, "other")
            },
            "address 192.168.1.9 cannot be chosen on network web: the DHCP server chooses; leave it out",
        ),
        (
            AttachRequest {
                ip6: Some("fd01::9".parse().unwrap()),
                ..to(1, "other")
            },
            "address fd01::9 cannot be chosen on network web: its endpoints choose them themselves \
             (SLAAC); leave it out",
        ),
    ] {
        let error = attach(&mut model, 2, request).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("address_not_chosen", message)
        );
        assert_eq!(model, before);
    }
}

#[test]
fn networks_that_cannot_have_leases_are_refused() {
    let dhcp = |request| NetworkRequest {
        ipam: Ipam::Dhcp,
        ..request
    };
    let plain = || leased("web");
    for (request, code, message) in [
        (
            dhcp(macvlan("web", &[], &[])),
            "parent_missing",
            "--ipam dhcp needs a parent; add -o parent=NIC",
        ),
        (
            dhcp(ipvlan("web", &[], &[ON_ETH0, (key::IPVLAN_MODE, "l3")])),
            "dhcp_invalid",
            "--ipam dhcp does not go with ipvlan mode l3, which carries no broadcasts; give --subnet, or \
             use l2",
        ),
        (
            NetworkRequest {
                ipv6: true,
                ..dhcp(ipvlan("web", &[], &[ON_ETH0]))
            },
            "dhcp_invalid",
            "--ipv6 with --ipam dhcp is for endpoints that have a MAC address of their own on the wire; \
             use driver macvlan without mac_nat, or give an IPv6 subnet without --ipam dhcp",
        ),
        (
            dhcp(on_nic(DriverName::Bridge, "web", &[], &[])),
            "dhcp_invalid",
            "--ipam dhcp is for networks on a NIC, and driver bridge makes none; leave it out, or choose \
             driver macvlan",
        ),
        (
            NetworkRequest {
                subnets: vec![net(HOME)],
                ..plain()
            },
            "dhcp_invalid",
            "--subnet is given, but with --ipam dhcp the DHCP server chooses; leave one of the two out",
        ),
        (
            with_gateway("192.168.1.1", plain()),
            "dhcp_invalid",
            "--gateway is given, but with --ipam dhcp the DHCP server chooses; leave one of the two out",
        ),
        (
            NetworkRequest {
                ip_ranges: vec![net(HOME)],
                ..plain()
            },
            "dhcp_invalid",
            "--ip-range is given, but with --ipam dhcp the DHCP server chooses; leave one of the two out",
        ),
        (
            NetworkRequest {
                aux_addresses: vec![("host".into(), ip("192.168.1.9"))],
                ..plain()
            },
            "dhcp_invalid",
            "--aux-address is given, but with --ipam dhcp the DHCP server chooses; leave one of the two \
             out",
        ),
        (
            NetworkRequest {
                ipv4: false,
                ipv6: true,
                ..plain()
            },
            "dhcp_invalid",
            "--ipam dhcp is for IPv4, which is disabled; leave one of the two out",
        ),
    ] {
        assert_eq!(refusal(&mut model(), request), (code, message.to_owned()));
    }
}

#[test]
fn a_lease_is_refused_that_cannot_be_used_or_is_in_use() {
    let (mut model, first) = waiting();
    let pooled = NetworkRequest {
        aux_addresses: vec![("printer".into(), ip("192.168.1.7"))],
        ..with_gateway("192.168.1.1", ipvlan("pooled", &[HOME], &[ON_ETH0]))
    };
    add(&mut model, 2, pooled);
    let second = attach(&mut model, 2, to(1, "other")).unwrap();
    attach(&mut model, 3, to(2, "third")).unwrap();
    model
        .set_lease(first.id, Some(lease("192.168.1.50")))
        .unwrap();
    model
        .set_lease(second.id, Some(lease("192.168.1.51")))
        .unwrap();
    let before = model.clone();
    for (lease, code, message) in [
        (
            lease("192.168.1.50"),
            "lease_in_use",
            "DHCP server 192.168.1.2 lent 192.168.1.50, which is that of sandbox box on network web; keep \
             its range apart from addresses of other networks",
        ),
        (
            lease("192.168.1.2"),
            "lease_in_use",
            "DHCP server 192.168.1.2 lent 192.168.1.2, which is that of sandbox third on network pooled; \
             keep its range apart from addresses of other networks",
        ),
        (
            lease("192.168.1.1"),
            "lease_in_use",
            "DHCP server 192.168.1.2 lent 192.168.1.1, which is the gateway of network pooled; keep its \
             range apart from addresses of other networks",
        ),
        (
            lease("192.168.1.7"),
            "lease_in_use",
            "DHCP server 192.168.1.2 lent 192.168.1.7, which is aux-address printer of network pooled; \
             keep its range apart from addresses of other networks",
        ),
        (
            Lease {
                prefix_len: 33,
                ..lease("192.168.1.9")
            },
            "lease_invalid",
            "DHCP server 192.168.1.2 lent 192.168.1.9/33, which no interface can have; look at its \
             configuration",
        ),
        (
            lease("0.0.0.0"),
            "lease_invalid",
            "DHCP server 192.168.1.2 lent 0.0.0.0/24, which no interface can have; look at its \
             configuration",
        ),
    ] {
        let error = model.set_lease(second.id, Some(lease)).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        assert_eq!(model, before, "{message}");
    }
    let renewed = Lease {
        obtained: 1_700_001_800,
        ..lease("192.168.1.51")
    };
    assert!(model.set_lease(second.id, Some(renewed)).is_ok(), "its own");

    let error = model.set_lease(endpoint_id(3), None).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "not_leased",
            "network pooled has no leased addresses; make one with --ipam dhcp"
        )
    );
    let gone = model.set_lease(endpoint_id(9), None).unwrap_err();
    assert_eq!(gone.code(), "endpoint_not_found");
}

#[test]
fn what_is_leased_is_taken_on_the_whole_link() {
    let (mut model, first) = waiting();
    model
        .set_lease(first.id, Some(lease("192.168.1.2")))
        .unwrap();
    let pooled = with_gateway("192.168.1.1", ipvlan("pooled", &[HOME], &[ON_ETH0]));
    add(&mut model, 2, pooled);
    let chosen = AttachRequest {
        ip: Some([192, 168, 1, 2].into()),
        ..to(2, "other")
    };
    let error = attach(&mut model, 2, chosen).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "address_in_use",
            "address 192.168.1.2 is leased to sandbox box on network web; choose another"
        )
    );
    let second = attach(&mut model, 2, to(2, "other")).unwrap();
    assert_eq!(addresses(&second), "192.168.1.3/24");
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    model.set_lease(first.id, None).unwrap();
    let third = attach(&mut model, 3, to(2, "third")).unwrap();
    assert_eq!(addresses(&third), "192.168.1.2/24");
    let error = model
        .set_lease(first.id, Some(lease("192.168.1.2")))
        .unwrap_err();
    assert_eq!(error.code(), "lease_in_use");
}

/// Or the records would contradict each other at the next start.
#[test]
fn what_is_leased_is_not_set_aside_by_a_new_network() {
    let (mut model, first) = waiting();
    model
        .set_lease(first.id, Some(lease("192.168.1.2")))
        .unwrap();
    let plain = || ipvlan("pooled", &[HOME], &[ON_ETH0]);
    let aside = NetworkRequest {
        aux_addresses: vec![("host".into(), ip("192.168.1.2"))],
        ..plain()
    };
    for request in [with_gateway("192.168.1.2", plain()), aside] {
        let refused = "address 192.168.1.2 is leased to sandbox box on network web; choose another";
        let (code, message) = refusal(&mut model, request);
        assert_eq!((code, message.as_str()), ("address_in_use", refused));
    }
    add(&mut model, 2, with_gateway("192.168.1.1", plain()));
    assert_eq!(restored(&model).as_ref(), Ok(&model));
}

#[test]
fn leases_of_another_link_do_not_matter() {
    let (mut model, first) = waiting();
    let tagged = NetworkRequest {
        ipam: Ipam::Dhcp,
        ..macvlan("tagged", &[], &[(key::PARENT, "eth0.100")])
    };
    add(&mut model, 2, tagged);
    let second = attach(&mut model, 2, to(2, "other")).unwrap();
    for endpoint in [first, second] {
        model
            .set_lease(endpoint.id, Some(lease("192.168.1.50")))
            .unwrap();
    }
    assert_eq!(restored(&model).as_ref(), Ok(&model));
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let (mut model, first) = waiting();
    let record = model
        .set_lease(first.id, Some(lease("192.168.1.50")))
        .unwrap();
    let restore = |endpoint: Endpoint| {
        Model::restore(
            model.settings().clone(),
            model.networks().cloned(),
            [endpoint],
            model.sandboxes().cloned(),
            model.lent_pools().cloned(),
        )
        .map_err(|error| error.reason.to_string())
    };
    assert!(restore(record.clone()).is_ok());
    let message = "endpoint 010101010101 needs the address of its lease, and no other";
    for endpoint in [
        Endpoint {
            lease: None,
            ..record.clone()
        },
        Endpoint {
            addresses: Vec::new(),
            ..record.clone()
        },
        Endpoint {
            addresses: vec![net("192.168.1.51/24")],
            ..record.clone()
        },
    ] {
        assert_eq!(restore(endpoint), Err(message.to_owned()));
    }
    let mut bridge = super::model();
    add(&mut bridge, 2, NetworkRequest::new("bridge"));
    let endpoint = attach(&mut bridge, 2, to(2, "box")).unwrap();
    let odd = Endpoint {
        id: EndpointId::from_octets([1; 32]),
        lease: record.lease,
        ..endpoint
    };
    let restored = Model::restore(
        bridge.settings().clone(),
        bridge.networks().cloned(),
        [odd],
        bridge.sandboxes().cloned(),
        [],
    );
    assert_eq!(restored.unwrap_err().reason.to_string(), message);
}
