//! Overlay networks again from their records.

use vswitch_cnm::{Model, Network, Settings};

use super::{add, id, ip, model, net, overlay, remote};

#[test]
fn a_record_without_what_came_later_is_read() {
    let mut model = model();
    add(&mut model, 1, overlay("web", &["10.1.0.0/24"], &[]));
    let mut record = serde_json::to_value(model.network(id(1)).unwrap()).unwrap();
    record["overlay"] = serde_json::json!({ "vnis": [4096] });
    let network: Network = serde_json::from_value(record).unwrap();
    let again = Model::restore(Settings::default(), [network], [], [], []);
    assert_eq!(again, Ok(model));
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let mut model = model();
    let web = add(&mut model, 1, overlay("web", &["10.1.0.0/24"], &[]));
    let with = |edit: fn(&mut vswitch_cnm::OverlayRecord)| {
        let mut network = web.clone();
        edit(network.overlay.as_mut().unwrap());
        network
    };
    let twin = Network {
        id: id(2),
        name: "twin".into(),
        subnets: Vec::new(),
        ..web.clone()
    };
    let bare = Network {
        overlay: None,
        ..web.clone()
    };
    let stray: fn(&mut vswitch_cnm::OverlayRecord) = |record| {
        record
            .remotes
            .push(remote("0a:00:00:00:00:01", "192.0.2.2", &[]));
    };
    for (networks, code) in [
        (vec![bare], "vni_invalid"),
        (vec![with(|record| record.vnis.clear())], "vni_invalid"),
        (vec![with(|record| record.vnis = vec![0])], "vni_invalid"),
        (vec![with(|record| record.vnis.push(4097))], "vni_invalid"),
        (
            vec![with(|record| record.peers = vec![ip("10.1.0.9")])],
            "peer_invalid",
        ),
        (
            vec![with(|record| record.peers = vec![ip("192.0.2.2"); 2])],
            "peer_exists",
        ),
        (vec![with(stray)], "remote_without_peer"),
        (
            vec![
                web.clone(),
                Network {
                    subnets: vec![vswitch_cnm::SubnetRecord {
                        subnet: net("10.2.0.0/24"),
                        ..web.subnets[0].clone()
                    }],
                    ..twin
                },
            ],
            "vni_in_use",
        ),
    ] {
        let error = Model::restore(Settings::default(), networks, [], [], []).unwrap_err();
        assert_eq!(error.reason.code(), code, "{error}");
    }
}
