//! What the underlay carries, and what a user is warned of.

use vswitch_cnm::{Ipam, Model, NetworkRequest, option_key as key};

use super::{add, attach, id, model, net, only_bridge, overlay, restored, to};

#[test]
fn containers_follow_the_underlays_mtu() {
    let mut model = model();
    let request = NetworkRequest {
        ip_ranges: vec![net("10.1.0.128/25")],
        ..overlay("web", &["10.1.0.0/24"], &[(key::PEERS, "192.0.2.2")])
    };
    add(&mut model, 1, request);
    let endpoint = attach(&mut model, 1, to(1, "box")).unwrap().id;
    let mtus = |model: &Model| {
        let port = model.port_settings(endpoint).unwrap().unwrap();
        (only_bridge(model, 1).mtu, port.mtu)
    };
    assert_eq!(mtus(&model), (1450, 1450));
    let record = model.set_underlay_mtu(id(1), Some(9000)).unwrap();
    assert_eq!(record.overlay.unwrap().underlay_mtu, Some(9000));
    assert_eq!(mtus(&model), (8950, 8950));
    assert_eq!(model.overlay_warnings(id(1)), [""; 0]);
    assert_eq!(restored(&model).as_ref(), Ok(&model));
    model.set_underlay_mtu(id(1), None).unwrap();
    assert_eq!(mtus(&model), (1450, 1450));
    assert_eq!(
        model.set_underlay_mtu(id(9), None).unwrap_err().code(),
        "network_not_found"
    );
}

#[test]
fn warnings_say_what_to_do() {
    let mut model = model();
    add(
        &mut model,
        1,
        overlay("web", &["10.1.0.0/24"], &[(key::INNER_MTU, "1500")]),
    );
    model.set_underlay_mtu(id(1), Some(1500)).unwrap();
    assert_eq!(
        model.overlay_warnings(id(1)),
        [
            "containers on web have an MTU of 1500, but the underlay's 1500 leaves 1450: use -o mtu=1450, or \
             raise the underlay's to 1550",
            "network web has nobody to talk to: name another host with `vsctl vtep add web PEER`",
            "this host chooses addresses of 10.1.0.0/24 on its own: give each host its own --ip-range, or \
             each container its --ip",
        ]
    );
    add(
        &mut model,
        2,
        overlay("db", &["10.2.0.0/24"], &[(key::GROUP, "239.1.1.1")]),
    );
    let warnings = model.overlay_warnings(id(2));
    assert_eq!(
        warnings[1],
        "this host chose VNI 4097 for db: where another host chose differently, networks are mixed up; give \
         it with -o on each"
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    add(&mut model, 3, overlay("six", &["fd00::/64"], &[]));
    model.set_underlay_mtu(id(3), Some(1300)).unwrap();
    assert_eq!(
        model.overlay_warnings(id(3))[0],
        "containers on six have an MTU of 1280, but the underlay's 1300 leaves 1250: raise the \
         underlay's to 1330"
    );
    add(&mut model, 4, NetworkRequest::new("lan"));
    assert_eq!(model.overlay_warnings(id(4)), [""; 0]);
    // Whoever gives the addresses keeps them apart.
    let given = NetworkRequest {
        ipam: Ipam::Given,
        ..overlay("given", &["10.5.0.0/24"], &[(key::PEERS, "192.0.2.1")])
    };
    add(&mut model, 5, given);
    let warnings = model.overlay_warnings(id(5));
    assert!(
        !warnings
            .iter()
            .any(|warning| warning.contains("10.5.0.0/24")),
        "{warnings:?}"
    );
}
