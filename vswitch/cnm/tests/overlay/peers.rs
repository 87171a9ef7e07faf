//! Who is at the other ends of the tunnels, and what is said to be there.

use vswitch_cnm::{AttachRequest, NetworkRequest, option_key as key};

use super::{
    add, attach, id, ip, model, net, overlay, remote, restored, three_segments, to, tunnels,
};

#[test]
fn peers_come_and_go() {
    let mut model = model();
    let options = [(key::PEERS, "192.0.2.2"), (key::LOCAL, "192.0.2.1")];
    add(&mut model, 1, overlay("web", &["10.1.0.0/24"], &options));
    add(&mut model, 2, NetworkRequest::new("lan"));
    let record = model.add_peer(id(1), ip("192.0.2.3")).unwrap();
    assert_eq!(record.peers(), [ip("192.0.2.2"), ip("192.0.2.3")]);
    assert_eq!(tunnels(&model, 1).peers, record.peers());

    let before = model.clone();
    for (n, peer, code) in [
        (1, "192.0.2.2", "peer_exists"),
        (1, "192.0.2.1", "peer_invalid"),
        (1, "2001:db8::2", "peer_invalid"),
        (1, "239.1.1.1", "peer_invalid"),
        (1, "10.1.0.9", "peer_invalid"),
        (2, "192.0.2.3", "not_overlay"),
        (3, "192.0.2.3", "network_not_found"),
    ] {
        let error = model.add_peer(id(n), ip(peer)).unwrap_err();
        assert_eq!(error.code(), code, "{peer}");
        assert_eq!(model, before);
    }
    assert_eq!(
        model
            .remove_peer(id(1), ip("192.0.2.9"))
            .unwrap_err()
            .to_string(),
        "192.0.2.9 was not given as a peer of network web; `vsctl vtep list web` shows those there are"
    );
    assert_eq!(
        model
            .remove_peer(id(2), ip("192.0.2.2"))
            .unwrap_err()
            .to_string(),
        "network lan is of driver bridge and does not span hosts; make one with -d overlay"
    );
    assert_eq!(model, before);

    let record = model.remove_peer(id(1), ip("192.0.2.2")).unwrap();
    assert_eq!(
        record.peers(),
        [ip("192.0.2.3")],
        "though the option names it"
    );
    assert_eq!(restored(&model), Ok(model));
}

#[test]
fn remotes_hold_their_addresses_until_they_go() {
    let mut model = model();
    add(&mut model, 1, three_segments());
    let fresh = model.clone();
    let known = remote("02:42:0a:02:00:02", "192.0.2.2", &["10.2.0.2", "fd02::2"]);
    let bare = remote("0a:00:00:00:00:01", "192.0.2.3", &[]);
    model.add_remote(id(1), known.clone()).unwrap();
    let record = model.add_remote(id(1), bare.clone()).unwrap();
    assert_eq!(record.remotes(), [known.clone(), bare.clone()]);
    let bridges = model.bridge_settings(id(1)).unwrap();
    let here = |index: usize| bridges[index].overlay.as_ref().unwrap().remotes.clone();
    assert_eq!(here(0), std::slice::from_ref(&bare));
    assert_eq!(here(1), [known, bare]);

    let second = AttachRequest {
        ip: Some([10, 2, 0, 2].into()),
        ..to(1, "box")
    };
    assert_eq!(
        attach(&mut model, 1, second).unwrap_err().code(),
        "address_in_use"
    );
    assert_eq!(restored(&model).as_ref(), Ok(&model));

    let mac = "02:42:0a:02:00:02".parse().unwrap();
    model.remove_remote(id(1), mac).unwrap();
    assert_eq!(
        model.remove_remote(id(1), mac).unwrap_err().code(),
        "remote_not_found"
    );
    model
        .remove_remote(id(1), "0a:00:00:00:00:01".parse().unwrap())
        .unwrap();
    assert_eq!(model, fresh);
}

#[test]
fn a_peer_takes_its_remotes_along() {
    let mut model = model();
    add(&mut model, 1, three_segments());
    let kept = remote("0a:00:00:00:00:03", "192.0.2.3", &["10.2.0.3"]);
    model
        .add_remote(
            id(1),
            remote("0a:00:00:00:00:02", "192.0.2.2", &["10.2.0.2"]),
        )
        .unwrap();
    model.add_remote(id(1), kept.clone()).unwrap();
    let record = model.remove_peer(id(1), ip("192.0.2.2")).unwrap();
    assert_eq!(record.remotes(), [kept]);
    let pool = model
        .address_space()
        .pool("web", net("10.2.0.0/24"))
        .unwrap();
    assert_eq!(
        pool.addresses().collect::<Vec<_>>(),
        [ip("10.2.0.1"), ip("10.2.0.3")]
    );
}

#[test]
fn what_cannot_be_remote_is_refused() {
    let mut model = model();
    add(&mut model, 1, three_segments());
    let here = attach(&mut model, 1, to(1, "box")).unwrap();
    assert_eq!(here.mac.to_string(), "02:42:0a:01:00:02");
    model
        .add_remote(
            id(1),
            remote("0a:00:00:00:00:01", "192.0.2.2", &["10.2.0.7"]),
        )
        .unwrap();
    let before = model.clone();
    let mac = "0a:00:00:00:00:02";
    for (remote, code) in [
        (remote("0a:00:00:00:00:01", "192.0.2.2", &[]), "mac_in_use"),
        (remote("02:42:0a:01:00:02", "192.0.2.2", &[]), "mac_in_use"),
        (remote("02:42:0a:02:00:01", "192.0.2.2", &[]), "mac_in_use"),
        (remote("01:00:5e:00:00:01", "192.0.2.2", &[]), "mac_invalid"),
        (remote(mac, "192.0.2.9", &[]), "remote_without_peer"),
        (
            remote(mac, "192.0.2.2", &["fd01::9", "10.1.0.2"]),
            "address_in_use",
        ),
        (remote(mac, "192.0.2.2", &["10.2.0.1"]), "address_in_use"),
        (remote(mac, "192.0.2.2", &["10.2.0.7"]), "address_in_use"),
        (
            remote(mac, "192.0.2.2", &["10.2.0.8", "10.2.0.8"]),
            "address_in_use",
        ),
        (
            remote(mac, "192.0.2.2", &["10.2.0.8", "fd01::8"]),
            "addresses_apart",
        ),
        (
            remote(mac, "192.0.2.2", &["10.9.0.8"]),
            "address_outside_subnet",
        ),
        (remote(mac, "192.0.2.2", &["10.2.0.255"]), "address_invalid"),
    ] {
        let text = format!("{remote:?}");
        assert_eq!(
            model.add_remote(id(1), remote).unwrap_err().code(),
            code,
            "{text}"
        );
        assert_eq!(model, before, "{text}");
    }
    assert_eq!(
        model
            .add_remote(id(1), remote(mac, "192.0.2.9", &[]))
            .unwrap_err()
            .to_string(),
        "192.0.2.9 was not given as a peer of network web; `vsctl vtep add web 192.0.2.9` makes it one"
    );
    let mac = AttachRequest {
        mac: Some("0a:00:00:00:00:01".parse().unwrap()),
        ..to(1, "other")
    };
    assert_eq!(attach(&mut model, 2, mac).unwrap_err().code(), "mac_in_use");
}
