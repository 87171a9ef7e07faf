//! Networks that somebody's plugin makes work.

use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, DriverName, JoinRequest, Model, NetworkRequest, NextHop, PluginInterface,
};

use super::{add, create, endpoint_id, id, ip, key, model, net, refusal, restored, with_subnets};

fn of_plugin(name: &str, subnets: &[&str]) -> NetworkRequest {
    NetworkRequest {
        driver: DriverName::Plugin,
        plugin: Some("weave".into()),
        ..with_subnets(name, subnets)
    }
}

fn interface() -> PluginInterface {
    PluginInterface {
        source: "veth12".into(),
        prefix: "ethwe".into(),
        gateway: Some([10, 1, 0, 254].into()),
        ..PluginInterface::default()
    }
}

fn join(model: &mut Model, n: u8, sandbox: &str, interface: PluginInterface) {
    let request = JoinRequest {
        prefix: Some(interface.prefix.clone()),
        plugin: Some(interface),
        ..JoinRequest::new(key(sandbox))
    };
    model.join_endpoint(endpoint_id(n), request).unwrap();
}

#[test]
fn subnets_are_ours_and_options_the_plugins() {
    let mut model = model();
    let request = NetworkRequest {
        options: [("com.weave.multicast".to_owned(), "true".to_owned())].into(),
        ..of_plugin("web", &[])
    };
    let network = add(&mut model, 1, request);
    assert_eq!(network.driver_name(), "weave");
    assert_eq!(network.subnets[0].subnet, net("172.17.0.0/16"));
    assert_eq!(network.subnets[0].gateway, Some(ip("172.17.0.1")));
    assert_eq!(model.bridge_settings(id(1)), Ok(vec![]));
    assert_eq!(model.find_network("host").unwrap().driver_name(), "host");

    let request = AttachRequest {
        options: [("com.weave.any".to_owned(), "1".to_owned())].into(),
        ..AttachRequest::without_sandbox(id(1))
    };
    let endpoint = create(&mut model, 1, request).unwrap();
    assert_eq!(endpoint.addresses, [net("172.17.0.2/16")]);
    assert_eq!(endpoint.mac.to_string(), "02:42:ac:11:00:02");
    assert_eq!(model.port_settings(endpoint.id), Ok(None));
    let twin = AttachRequest {
        mac: Some(endpoint.mac),
        ..AttachRequest::without_sandbox(id(1))
    };
    let refused = refusal(&mut model, |model| create(model, 2, twin));
    assert_eq!(refused.0, "mac_in_use");
    let specs = ["80".parse().unwrap()];
    assert_eq!(
        refusal(&mut model, |model| {
            model.publish(endpoint_id(1), &specs, &mut AllFree)
        })
        .1,
        "ports cannot be published on network web: that is its plugin's to do"
    );
}

#[test]
fn several_subnets_of_a_family_are_allowed() {
    let mut model = model();
    let network = add(
        &mut model,
        1,
        of_plugin("web", &["fd01::/64", "10.1.0.0/24", "10.2.0.0/24"]),
    );
    let subnets: Vec<_> = network.subnets.iter().map(|record| record.subnet).collect();
    assert_eq!(
        subnets,
        ["10.1.0.0/24", "10.2.0.0/24", "fd01::/64"].map(net)
    );
}

#[test]
fn a_plugins_name_goes_with_the_driver() {
    let mut model = model();
    let nameless = NetworkRequest {
        plugin: None,
        ..of_plugin("web", &[])
    };
    let bridge = NetworkRequest {
        driver: DriverName::Bridge,
        ..of_plugin("web", &[])
    };
    for request in [nameless, bridge] {
        assert_eq!(
            refusal(&mut model, |model| model.create_network(
                request,
                id(1),
                0,
                &[]
            )),
            (
                "plugin_invalid",
                "network web needs the name of a plugin if its driver is one, and none otherwise"
                    .into()
            )
        );
    }
}

#[test]
fn the_way_out_is_the_plugins_word() {
    let mut model = model();
    add(&mut model, 1, of_plugin("web", &["10.1.0.0/24"]));
    add(&mut model, 2, with_subnets("zzz", &["10.2.0.0/24"]));
    create(&mut model, 1, AttachRequest::without_sandbox(id(1))).unwrap();
    create(&mut model, 2, AttachRequest::new(id(2), key("box"))).unwrap();
    join(&mut model, 1, "box", interface());
    let endpoint = model.endpoint(endpoint_id(1)).unwrap();
    assert_eq!(endpoint.ifname.as_deref(), Some("ethwe0"));
    assert_eq!(endpoint.plugin, Some(interface()));
    let way_out = |model: &Model| {
        let choice = model.gateway_of(&key("box")).v4.unwrap();
        (choice.endpoint, choice.next_hop)
    };
    assert_eq!(
        way_out(&model),
        (endpoint_id(1), NextHop::Router(ip("10.1.0.254")))
    );
    assert_eq!(restored(&model), model);

    let left = model.leave_endpoint(endpoint_id(1)).unwrap();
    assert_eq!(left.endpoint.plugin, None);
    assert_eq!(way_out(&model).0, endpoint_id(2));
    let without = PluginInterface {
        gateway: None,
        ..interface()
    };
    join(&mut model, 1, "box", without);
    assert_eq!(way_out(&model).0, endpoint_id(2));
    let prefix = JoinRequest {
        prefix: Some("much-too-long-a-prefix".into()),
        ..JoinRequest::new(key("box"))
    };
    model.leave_endpoint(endpoint_id(1)).unwrap();
    let refused = refusal(&mut model, |model| {
        model.join_endpoint(endpoint_id(1), prefix)
    });
    assert_eq!(refused.0, "name_too_long");
}

#[test]
fn an_internal_network_of_a_plugin_has_no_way_out() {
    let mut model = model();
    let request = NetworkRequest {
        internal: true,
        ..of_plugin("web", &["10.1.0.0/24"])
    };
    add(&mut model, 1, request);
    create(&mut model, 1, AttachRequest::without_sandbox(id(1))).unwrap();
    join(&mut model, 1, "box", interface());
    assert_eq!(model.gateway_of(&key("box")).v4, None);
}

#[test]
fn packets_are_not_exchanged_with_a_plugins_network() {
    let mut model = model();
    add(&mut model, 1, of_plugin("web", &["10.1.0.0/24"]));
    let request = NetworkRequest {
        options: [("vswitch.route-to".to_owned(), "web".to_owned())].into(),
        ..with_subnets("db", &["10.2.0.0/24"])
    };
    assert_eq!(
        refusal(&mut model, |model| model.create_network(
            request,
            id(2),
            0,
            &[]
        )),
        (
            "route_to_invalid",
            "option vswitch.route-to: network web cannot be routed to: its gateway is its plugin's"
                .into()
        )
    );
}
