//! Which NIC and VLAN a network is on, and what cannot be one.

use vswitch_cnm::{DriverName, LanRecord, NetworkRequest, option_key as key};
use vswitch_packet::VlanId;

use super::{
    HOME, ON_ETH0, add, id, interfaces, ipvlan, lan, macvlan, model, net, on_nic, only_bridge,
    refusal,
};

#[test]
fn a_parent_may_name_a_vlan_that_is_no_interface() {
    for (given, parent, vlan, service) in [
        (&[(key::PARENT, "eth0")][..], Some("eth0"), None, false),
        (&[(key::PARENT, "eth0.100")], Some("eth0"), Some(100), false),
        (&[(key::PARENT, "eth1.7")], Some("eth1.7"), None, false),
        (
            &[(key::PARENT, "eth1.7"), (key::PARENT_VLAN, "7")],
            Some("eth1.7"),
            None,
            false,
        ),
        (
            &[(key::PARENT, "eth0"), (key::PARENT_VLAN, "4094")],
            Some("eth0"),
            Some(4094),
            false,
        ),
        (
            &[(key::PARENT, "eth0.100"), (key::PARENT_VLAN, "100")],
            Some("eth0"),
            Some(100),
            false,
        ),
        (
            &[(key::PARENT, "eth0.1"), (key::VLAN_PROTOCOL, "802.1ad")],
            Some("eth0"),
            Some(1),
            true,
        ),
        (&[], None, None, false),
        (&[(key::PARENT, "")], None, None, false),
    ] {
        for driver in [DriverName::Macvlan, DriverName::Ipvlan] {
            let mut model = model();
            let network = add(&mut model, 1, on_nic(driver, "web", &[HOME], given));
            let vlan = vlan.and_then(VlanId::new);
            let record = LanRecord {
                parent: parent.map(ToOwned::to_owned),
                vlan,
                service,
                mtu: parent.map(|_| 1500),
            };
            assert_eq!(network.lan, Some(record), "{given:?}");
            let lan = lan(&model, 1);
            assert_eq!((lan.parent.as_deref(), lan.vlan), (parent, vlan));
            assert_eq!(lan.service_tag, service);
            assert_eq!(network.internal, parent.is_none());
            assert_eq!(only_bridge(&model, 1).internal, parent.is_none());
        }
    }
}

#[test]
fn what_cannot_be_a_parent_is_refused() {
    for (given, code, message) in [
        (
            &[(key::PARENT, "eth9")][..],
            "parent_not_found",
            "parent eth9 not found; this host has eth0, eth1, eth1.7",
        ),
        (
            &[(key::PARENT, "eth9.100")],
            "parent_not_found",
            "parent eth9.100 not found; this host has eth0, eth1, eth1.7",
        ),
        (
            &[(key::PARENT, "eth0.x")],
            "parent_not_found",
            "parent eth0.x not found; this host has eth0, eth1, eth1.7",
        ),
        (
            &[(key::PARENT, ".100")],
            "parent_not_found",
            "parent .100 not found; this host has eth0, eth1, eth1.7",
        ),
        (
            &[(key::PARENT, "lo")],
            "parent_invalid",
            "parent lo is no Ethernet interface; give one that has a MAC address",
        ),
        (
            &[(key::PARENT, "br-0a0a0a0a0a0a")],
            "parent_invalid",
            "parent br-0a0a0a0a0a0a is an interface of the switch itself; give a NIC of the host",
        ),
        (
            &[(key::PARENT, "br-0a0a0a0a0a0a.7")],
            "parent_invalid",
            "parent br-0a0a0a0a0a0a is an interface of the switch itself; give a NIC of the host",
        ),
        (
            &[(key::PARENT, "eth0.0")],
            "option_invalid",
            "option parent=eth0.0: the value must be a NIC, or one and a VLAN from 1 to 4094, such as \
             eth0.100",
        ),
        (
            &[(key::PARENT, "eth0.4095")],
            "option_invalid",
            "option parent=eth0.4095: the value must be a NIC, or one and a VLAN from 1 to 4094, such as \
             eth0.100",
        ),
        (
            &[(key::PARENT, "eth0"), (key::PARENT_VLAN, "0")],
            "option_invalid",
            "option vlan=0: the value must be 1 to 4094",
        ),
        (
            &[(key::PARENT, "eth0"), (key::PARENT_VLAN, "4095")],
            "option_invalid",
            "option vlan=4095: the value must be 1 to 4094",
        ),
        (
            &[(key::PARENT, "eth0.100"), (key::PARENT_VLAN, "101")],
            "option_conflict",
            "option vlan=101 does not go with parent=eth0.100, which is another VLAN; leave one of the two \
             out",
        ),
        (
            &[(key::PARENT, "eth1.7"), (key::PARENT_VLAN, "8")],
            "option_conflict",
            "option vlan=8 does not go with parent=eth1.7, which is another VLAN; leave one of the two out",
        ),
        (
            &[(key::PARENT, "eth1.7"), (key::VLAN_PROTOCOL, "802.1ad")],
            "option_conflict",
            "option vlan_protocol=802.1ad does not go with a network whose frames the switch does not tag; \
             add -o vlan=NUMBER, or leave it out",
        ),
        (
            &[(key::VLAN_PROTOCOL, "802.1ad")],
            "option_conflict",
            "option vlan_protocol=802.1ad does not go with a network whose frames the switch does not tag; \
             add -o vlan=NUMBER, or leave it out",
        ),
        (
            &[(key::PARENT_VLAN, "100")],
            "parent_missing",
            "a VLAN needs a parent; add -o parent=NIC",
        ),
        (
            &[(key::MACVLAN_MODE, "passthru")],
            "parent_missing",
            "mode passthru needs a parent; add -o parent=NIC",
        ),
        (
            &[(key::MAC_NAT, "true")],
            "parent_missing",
            "option mac_nat=true needs a parent; add -o parent=NIC",
        ),
    ] {
        let (refused, sentence) = refusal(&mut model(), macvlan("web", &[HOME], given));
        assert_eq!((refused, sentence.as_str()), (code, message), "{given:?}");
    }
    let bare = NetworkRequest {
        interfaces: [("lo".to_owned(), interfaces()["lo"].clone())].into(),
        ..macvlan("web", &[HOME], &[ON_ETH0])
    };
    assert_eq!(
        refusal(&mut model(), bare).1,
        "parent eth0 not found; this host has no Ethernet interface"
    );
}

#[test]
fn a_parents_options_are_for_networks_on_one() {
    for (driver, given, message) in [
        (
            DriverName::Bridge,
            ON_ETH0,
            "option parent is for macvlan networks; leave it out, or choose driver macvlan",
        ),
        (
            DriverName::Overlay,
            (key::IPVLAN_MODE, "l3"),
            "option ipvlan_mode is for ipvlan networks; leave it out, or choose driver ipvlan",
        ),
        (
            DriverName::Bridge,
            (key::MAC_NAT, "true"),
            "option mac_nat is for macvlan networks; leave it out, or choose driver macvlan",
        ),
    ] {
        let request = on_nic(driver, "web", &[HOME], &[given]);
        let refused = refusal(&mut model(), request);
        assert_eq!(refused, ("option_unknown", message.to_owned()));
    }
}

#[test]
fn passthru_has_its_place_to_itself() {
    let alone = (key::MACVLAN_MODE, "passthru");
    let at = |parent| (key::PARENT, parent);
    for (there, wanted, refused) in [
        (&[at("eth0")][..], &[at("eth0"), alone][..], true),
        (&[at("eth0.100")], &[at("eth0"), alone], true),
        (&[at("eth0"), alone], &[at("eth0")], true),
        (&[at("eth0"), alone], &[at("eth0.100")], true),
        (&[at("eth0"), alone], &[at("eth0"), alone], true),
        (&[at("eth0.100"), alone], &[at("eth0.100")], true),
        (&[at("eth0.100")], &[at("eth0.100"), alone], true),
        (&[at("eth0.100"), alone], &[at("eth0"), alone], true),
        (&[at("eth0.100"), alone], &[at("eth0")], false),
        (&[at("eth0.100"), alone], &[at("eth0.101"), alone], false),
        (&[at("eth0")], &[at("eth0.100"), alone], false),
        (&[at("eth0"), alone], &[at("eth1"), alone], false),
        (
            &[at("eth0.100")],
            &[at("eth0.100"), (key::VLAN_PROTOCOL, "802.1ad"), alone],
            false,
        ),
    ] {
        let mut model = model();
        add(&mut model, 1, macvlan("there", &["10.1.0.0/24"], there));
        let wanted = macvlan("web", &["10.2.0.0/24"], wanted);
        let code = model
            .create_network(wanted, id(2), 0, &[])
            .map_err(|error| error.code());
        let expected = if refused {
            Err("parent_in_use")
        } else {
            Ok(id(2))
        };
        assert_eq!(code.map(|network| network.id), expected, "{there:?}");
    }
}

#[test]
fn who_is_in_the_way_of_passthru_is_named() {
    let alone = [ON_ETH0, (key::MACVLAN_MODE, "passthru")];
    let mut model = model();
    add(
        &mut model,
        1,
        macvlan("a", &[HOME], &[(key::PARENT, "eth0.100")]),
    );
    assert_eq!(
        refusal(&mut model, macvlan("web", &["10.2.0.0/24"], &alone)).1,
        "mode passthru has eth0 to itself, and network a is there; choose another parent, or remove a"
    );
    model.remove_network(id(1)).unwrap();
    let tagged = [(key::PARENT, "eth0.100"), alone[1]];
    add(&mut model, 1, macvlan("a", &[HOME], &tagged));
    let other = ipvlan("web", &["10.2.0.0/24"], &[(key::PARENT, "eth0.100")]);
    assert_eq!(
        refusal(&mut model, other).1,
        "network a has VLAN 100 of eth0 to itself, as its mode is passthru; choose another parent, or \
         remove a"
    );
    let routed = [ON_ETH0, (key::IPVLAN_MODE, "l3")];
    add(&mut model, 2, ipvlan("l3", &["10.3.0.0/24"], &routed));
    assert_eq!(
        refusal(&mut model, macvlan("web", &["10.2.0.0/24"], &alone)).0,
        "parent_in_use",
    );
}

#[test]
fn what_the_user_will_miss_is_said() {
    let mut model = model();
    let options = [ON_ETH0, (key::MTU, "9000")];
    add(
        &mut model,
        1,
        macvlan("web", &[HOME, "fd01::/64"], &options),
    );
    let warnings = |edit: fn(&mut vswitch_cnm::HostInterface)| {
        let mut interfaces = interfaces();
        edit(interfaces.get_mut("eth0").unwrap());
        model.lan_warnings(id(1), &interfaces)
    };
    let long = "network web is to have an MTU of 9000, but parent eth0 carries 1500, which its endpoints \
                get: raise the parent's, or leave the option out";
    assert_eq!(warnings(|_| {}), [long]);
    assert_eq!(warnings(|eth0| eth0.mtu = 9000), [""; 0]);
    assert_eq!(
        warnings(|eth0| (eth0.up, eth0.carrier, eth0.mtu) = (false, false, 9000)),
        ["parent eth0 of network web is down: `ip link set eth0 up` switches it on"]
    );
    assert_eq!(
        warnings(|eth0| (eth0.carrier, eth0.mtu) = (false, 9000)),
        ["parent eth0 of network web has no link: look at its cable and its other end"]
    );
    assert_eq!(
        warnings(|eth0| eth0.mtu = 1279)[1],
        "endpoints of network web have an MTU of 1280, which IP needs, but parent eth0 carries 1279: raise \
         the parent's"
    );
    assert_eq!(
        model.lan_warnings(id(1), &[].into()),
        [
            "parent eth0 of network web is not there: its endpoints reach nobody outside until it is back"
        ]
    );
    add(
        &mut model,
        2,
        macvlan("lonely", &["10.2.0.0/24"], &[(key::MACVLAN_MODE, "vepa")]),
    );
    assert_eq!(
        model.lan_warnings(id(2), &interfaces()),
        [
            "endpoints of network lonely reach nobody: vepa leaves everything to the switch behind the \
             parent, and it has no parent"
        ]
    );
    add(&mut model, 3, NetworkRequest::new("bridge"));
    for n in [3, 9] {
        assert_eq!(model.lan_warnings(id(n), &interfaces()), [""; 0]);
    }
    assert_eq!(model.overlay_warnings(id(1)), [""; 0]);
}

#[test]
fn the_hosts_routes_count_only_where_nobody_is_on_the_wire() {
    let routes = [net(HOME), net("172.17.0.0/16")];
    let create = |request| {
        let network = model().create_network(request, id(1), 0, &routes);
        network.map(|network| network.subnets[0].subnet)
    };
    assert_eq!(create(macvlan("web", &[HOME], &[ON_ETH0])), Ok(net(HOME)));
    assert_eq!(create(ipvlan("web", &[HOME], &[ON_ETH0])), Ok(net(HOME)));
    assert_eq!(
        create(macvlan("web", &[], &[ON_ETH0])),
        Ok(net("172.18.0.0/16"))
    );
    let routed = [ON_ETH0, (key::IPVLAN_MODE, "l3")];
    for request in [
        macvlan("web", &[HOME], &[]),
        ipvlan("web", &[HOME], &routed),
    ] {
        assert_eq!(
            create(request).unwrap_err().to_string(),
            "subnet 192.168.1.0/24 overlaps the host's route to 192.168.1.0/24; choose another"
        );
    }
}
