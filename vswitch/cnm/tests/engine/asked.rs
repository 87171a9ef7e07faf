//! Whether a network is what is asked for once more.

use vswitch_cnm::{DriverName, Ipam, NetworkRequest, option_key as key};

use super::{add, given, ip, model, net, with_subnets};

#[test]
fn what_was_asked_for_is_known_again() {
    let asked = NetworkRequest {
        gateways: vec![ip("10.1.0.9")],
        ip_ranges: vec![net("10.1.0.128/25")],
        aux_addresses: vec![("nas".into(), ip("10.1.0.8"))],
        options: [(key::MTU.to_owned(), "1400".to_owned())].into(),
        ..given("web", &["10.1.0.0/24", "fd01::/64"])
    };
    let network = add(&mut model(), 1, asked.clone());
    let with = |edit: fn(&mut NetworkRequest)| {
        let mut request = asked.clone();
        edit(&mut request);
        request
    };
    for same in [
        asked.clone(),
        with(|request| request.name = "other".into()),
        with(|request| request.gateways.clear()),
        with(|request| request.subnets.reverse()),
    ] {
        assert!(network.is_as_asked(&same), "{same:?}");
    }
    for other in [
        with(|request| request.driver = DriverName::Overlay),
        with(|request| request.plugin = Some("weave".into())),
        with(|request| request.ipam = Ipam::Default),
        with(|request| request.internal = true),
        with(|request| request.options.clear()),
        with(|request| request.subnets.truncate(1)),
        with(|request| request.subnets = vec![net("10.1.0.0/25"), net("fd01::/64")]),
        with(|request| request.subnets.push(net("10.2.0.0/24"))),
        with(|request| request.gateways = vec![ip("10.1.0.1")]),
        with(|request| request.ip_ranges = vec![net("10.1.0.0/25")]),
        with(|request| request.aux_addresses[0].1 = ip("10.1.0.7")),
    ] {
        assert!(!network.is_as_asked(&other), "{other:?}");
    }
}

#[test]
fn what_was_left_to_choose_is_as_asked() {
    let network = add(&mut model(), 1, NetworkRequest::new("web"));
    assert!(network.is_as_asked(&NetworkRequest::new("web")));
    assert!(network.is_as_asked(&with_subnets("web", &["172.17.0.0/16"])));
    assert!(!network.is_as_asked(&with_subnets("web", &["172.18.0.0/16"])));
    let sized = add(&mut model(), 1, with_subnets("web", &["0.0.0.0/24"]));
    assert!(sized.is_as_asked(&with_subnets("web", &["0.0.0.0/24"])));
    let inside = NetworkRequest {
        driver: DriverName::Macvlan,
        ..with_subnets("lan", &["10.1.0.0/24"])
    };
    let network = add(&mut model(), 1, inside.clone());
    assert!(network.internal, "it has no parent");
    assert!(network.is_as_asked(&inside));
}
