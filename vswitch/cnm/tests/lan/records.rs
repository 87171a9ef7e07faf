//! Networks on a NIC again from their records.

use vswitch_cnm::{LanRecord, Model, Network, Settings, option_key as key};

use super::{HOME, ON_ETH0, add, ipvlan, lan, leased, macvlan, model, restored};

#[test]
fn records_suffice_whatever_the_host_has_now() {
    let mut model = model();
    add(&mut model, 1, macvlan("a", &[HOME], &[ON_ETH0]));
    add(
        &mut model,
        2,
        macvlan("b", &["10.2.0.0/24"], &[(key::PARENT, "eth0.100")]),
    );
    let service = [(key::PARENT, "eth1.5"), (key::VLAN_PROTOCOL, "802.1ad")];
    add(&mut model, 3, ipvlan("c", &["10.3.0.0/24"], &service));
    add(&mut model, 4, macvlan("d", &["10.4.0.0/24"], &[]));
    let alone = [(key::PARENT, "eth1.7"), (key::MACVLAN_MODE, "passthru")];
    add(&mut model, 5, macvlan("e", &["10.5.0.0/24"], &alone));
    add(&mut model, 6, leased("f"));
    let again = restored(&model).unwrap();
    assert_eq!(again, model);
    for n in 1..=6 {
        assert_eq!(lan(&again, n), lan(&model, n));
    }
}

#[test]
fn what_is_stored_is_readable() {
    let mut model = model();
    let network = add(
        &mut model,
        1,
        macvlan("a", &[HOME], &[(key::PARENT, "eth0.100")]),
    );
    let text = serde_json::to_value(&network).unwrap();
    assert_eq!(
        text["lan"],
        serde_json::json!({ "parent": "eth0", "vlan": 100, "service": false, "mtu": 1500 })
    );
    assert_eq!(
        (&text["ipam"], &text["driver"]),
        (&"default".into(), &"macvlan".into())
    );
    let read = |record: &str| serde_json::from_str::<LanRecord>(record);
    assert_eq!(read("{}").unwrap(), LanRecord::default());
    assert_eq!(
        read(r#"{"vlan":4095}"#).unwrap_err().to_string(),
        "4095 is no VLAN; those are 1 to 4094 at line 1 column 13"
    );
}

#[test]
fn records_that_contradict_their_options_are_refused() {
    let mut model = model();
    let web = add(&mut model, 1, macvlan("web", &[HOME], &[ON_ETH0]));
    let with = |edit: fn(&mut LanRecord)| {
        let mut network = web.clone();
        edit(network.lan.as_mut().unwrap());
        network
    };
    let bare = Network {
        lan: None,
        ..web.clone()
    };
    for network in [
        bare,
        with(|record| record.parent = None),
        with(|record| record.service = true),
    ] {
        let error = Model::restore(Settings::default(), [network], [], [], []).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the stored record of network web cannot be used: network web needs a record of its parent, as \
             its options have it"
        );
    }
    let subnets = web.subnets.clone();
    let mut dhcp = model;
    let leased = Network {
        subnets,
        ..add(&mut dhcp, 2, leased("leased"))
    };
    let error = Model::restore(Settings::default(), [leased], [], [], []).unwrap_err();
    assert_eq!(error.reason.code(), "dhcp_invalid");
}
