//! Endpoints without a sandbox, and their way into one and out again.

use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, Configurator, JoinRequest, Model, NetnsId, NextHop, Phase, Settings,
};

use super::{
    add, create, endpoint_id, engines, given, id, ip, join, key, model, refusal, restored,
    with_subnets,
};

fn lived_in() -> Model {
    let mut model = model();
    add(&mut model, 1, with_subnets("web", &["10.1.0.0/24"]));
    create(&mut model, 1, engines(1, None)).unwrap();
    model
}

#[test]
fn a_created_endpoint_has_addresses_and_is_nowhere() {
    let mut model = lived_in();
    let endpoint = model.endpoint(endpoint_id(1)).unwrap().clone();
    assert_eq!(endpoint.phase, Phase::Created);
    assert_eq!((&endpoint.sandbox, &endpoint.ifname), (&None, &None));
    assert_eq!(endpoint.whereabouts(), "-");
    assert_eq!(endpoint.mac.to_string(), "02:42:0a:01:00:02");
    assert_eq!(endpoint.addresses, ["10.1.0.2/24".parse().unwrap()]);
    assert_eq!(model.sandboxes().count(), 0);
    assert_eq!(model.endpoints_of(id(1)).count(), 1);
    assert_eq!(model.endpoints_in(&key("box")).count(), 0);
    let holder = |model: &Model, address| {
        let holder = model.address_holder(id(1), ip(address));
        holder.map(|endpoint| endpoint.id)
    };
    assert_eq!(holder(&model, "10.1.0.2"), Some(endpoint_id(1)));
    assert_eq!(holder(&model, "10.1.0.3"), None);

    let same_mac = AttachRequest {
        mac: Some(endpoint.mac),
        ..engines(1, None)
    };
    for (request, code) in [
        (engines(1, Some("10.1.0.2")), "address_in_use"),
        (same_mac, "mac_in_use"),
    ] {
        let refused = refusal(&mut model, |model| create(model, 2, request));
        assert_eq!(refused.0, code);
    }
    assert_eq!(
        refusal(&mut model, |model| model.remove_network(id(1))).1,
        "network web has active endpoints: endpoint 010101010101; detach them, or use --force"
    );
    assert_eq!(
        refusal(&mut model, |model| model.endpoint_attached(endpoint_id(1))),
        (
            "not_joined",
            "endpoint 010101010101 is in no sandbox; join one first".into()
        )
    );
    let removed = model.remove_endpoint(endpoint_id(1)).unwrap();
    assert_eq!((removed.endpoint, removed.sandbox), (endpoint, None));
    assert_eq!(holder(&model, "10.1.0.2"), None);
}

#[test]
fn its_port_is_known_before_it_is_anywhere() {
    let mut model = lived_in();
    let created = model.port_settings(endpoint_id(1)).unwrap().unwrap();
    assert_eq!(created.ifname, "vs-010101010101");
    assert_eq!(created.addresses, [ip("10.1.0.2")]);
    join(&mut model, 1, "box").unwrap();
    assert_eq!(
        model.port_settings(endpoint_id(1)).unwrap().unwrap(),
        created
    );
    model.set_ifname(endpoint_id(1), "eth0".into()).unwrap();
    let moved = model.port_settings(endpoint_id(1)).unwrap().unwrap();
    assert_eq!(moved.ifname, "eth0");
}

#[test]
fn an_engine_names_its_interface_and_the_switch_its_own() {
    let mut model = lived_in();
    let joined = join(&mut model, 1, "/var/run/docker/netns/1a").unwrap();
    assert_eq!(joined.phase, Phase::Attaching);
    assert_eq!(joined.ifname, Some(joined.tap_name()));
    assert_eq!(joined.whereabouts(), "/var/run/docker/netns/1a");
    let seen = model.set_ifname(joined.id, "eth0".into()).unwrap();
    assert_eq!(seen.ifname.as_deref(), Some("eth0"));

    add(&mut model, 2, with_subnets("db", &["10.2.0.0/24"]));
    add(&mut model, 3, with_subnets("log", &["10.3.0.0/24"]));
    for n in [2, 3] {
        create(&mut model, n, AttachRequest::without_sandbox(id(n))).unwrap();
    }
    let second = join(&mut model, 2, "/var/run/docker/netns/1a").unwrap();
    assert_eq!(second.ifname.as_deref(), Some("eth1"));
    let third = JoinRequest {
        prefix: Some("net".into()),
        interfaces: ["net0".to_owned()].into(),
        ..JoinRequest::new(key("/var/run/docker/netns/1a"))
    };
    let third = model.join_endpoint(endpoint_id(3), third).unwrap();
    assert_eq!(third.ifname.as_deref(), Some("net1"));

    for (name, code, message) in [
        (
            "eth1",
            "interface_in_use",
            "sandbox /var/run/docker/netns/1a already has an interface eth1; choose another --ifname",
        ),
        (
            "a/b",
            "interface_name_invalid",
            "invalid interface name \"a/b\": '/', ':', '%', white space, '.', '..', 'all', 'default' and \
             'lo' are not allowed",
        ),
    ] {
        let refused = refusal(&mut model, |model| {
            model.set_ifname(endpoint_id(1), name.into())
        });
        assert_eq!(refused, (code, message.into()));
    }
    // What is seen again is no news.
    model.set_ifname(endpoint_id(1), "eth0".into()).unwrap();
    assert_eq!(restored(&model), model);
}

#[test]
fn a_join_is_checked_as_an_attach() {
    let netns = |ino| Some(NetnsId { dev: 4, ino });
    let mut model = Model::new(Settings {
        host_netns: netns(1),
        ..Settings::default()
    });
    add(&mut model, 1, with_subnets("web", &["10.1.0.0/24"]));
    add(&mut model, 2, with_subnets("db", &["10.2.0.0/24"]));
    for (n, network) in [(1, 1), (2, 1), (3, 2)] {
        create(&mut model, n, engines(network, None)).unwrap();
    }
    join(&mut model, 1, "box").unwrap();
    model.set_netns(&key("box"), netns(2)).unwrap();
    let none = model.find_network("none").unwrap().id;
    let alone = AttachRequest::new(none, key("alone"));
    create(&mut model, 9, alone).unwrap();
    create(&mut model, 8, AttachRequest::without_sandbox(none)).unwrap();

    let with = |sandbox: &str, ino| JoinRequest {
        netns: netns(ino),
        ..JoinRequest::new(key(sandbox))
    };
    let named = JoinRequest {
        ifname: Some("eth7".into()),
        ..JoinRequest::new(key("new"))
    };
    let gone = JoinRequest::new(key("box"));
    for (n, request, code) in [
        (1, with("other", 3), "already_joined"),
        (2, with("box", 2), "already_attached"),
        (3, with("alone", 5), "network_exclusive"),
        (3, with("host", 1), "host_sandbox"),
        (3, with("pid:1", 1), "host_sandbox"),
        (3, with("pid:7", 2), "sandbox_alias"),
        (3, with("box", 3), "sandbox_replaced"),
        (8, named, "no_interface"),
        (77, gone, "endpoint_not_found"),
    ] {
        let refused = refusal(&mut model, |model| {
            model.join_endpoint(endpoint_id(n), request)
        });
        assert_eq!(refused.0, code, "{}", refused.1);
    }
    assert_eq!(
        refusal(&mut model, |model| join(model, 1, "other")).1,
        "endpoint 010101010101 is in sandbox box already; leave that first"
    );
    let joined = model.join_endpoint(endpoint_id(8), with("new", 6)).unwrap();
    assert_eq!((joined.phase, joined.ifname), (Phase::Attaching, None));
    assert_eq!(model.sandbox(&key("new")).unwrap().netns, netns(6));
    model.begin_detach(endpoint_id(3)).unwrap();
    for refused in [
        refusal(&mut model, |model| join(model, 3, "box")),
        refusal(&mut model, |model| model.leave_endpoint(endpoint_id(3))),
    ] {
        assert_eq!(refused.0, "endpoint_detaching");
    }
}

#[test]
fn who_leaves_keeps_addresses_and_gives_up_ports() {
    let mut model = lived_in();
    let before = model.endpoint(endpoint_id(1)).unwrap().clone();
    let joined = join(&mut model, 1, "box").unwrap();
    model.endpoint_attached(joined.id).unwrap();
    let specs = ["8080:80".parse().unwrap()];
    let published = model.publish(joined.id, &specs, &mut AllFree).unwrap();
    assert_eq!(published.len(), 2);

    let left = model.leave_endpoint(joined.id).unwrap();
    assert_eq!((&left.endpoint, &left.published), (&before, &published));
    assert_eq!(left.sandbox.map(|sandbox| sandbox.key), Some(key("box")));
    assert_eq!(left.sandbox_key, Some(key("box")));
    assert_eq!(model, lived_in());

    let again = model.leave_endpoint(joined.id).unwrap();
    assert_eq!(again.endpoint, before);
    assert_eq!((again.published, again.sandbox), (vec![], None));
    assert_eq!(again.sandbox_key, None);

    create(&mut model, 2, engines(1, None)).unwrap();
    join(&mut model, 2, "box").unwrap();
    model
        .publish(endpoint_id(2), &specs, &mut AllFree)
        .expect("the port is free again");
    join(&mut model, 1, "other").unwrap();
    let refused = refusal(&mut model, |model| {
        model.publish(endpoint_id(1), &specs, &mut AllFree)
    });
    assert_eq!(
        refused.1,
        "port 0.0.0.0:8080/tcp is already in use by container box on network web; choose another host port"
    );
    assert_eq!(
        model.leave_endpoint(endpoint_id(77)).unwrap_err().code(),
        "endpoint_not_found"
    );
}

#[test]
fn a_sandbox_that_is_needed_outlives_who_leaves() {
    let mut model = lived_in();
    add(&mut model, 2, with_subnets("db", &["10.2.0.0/24"]));
    create(&mut model, 2, engines(2, None)).unwrap();
    for n in [1, 2] {
        join(&mut model, n, "box").unwrap();
    }
    assert_eq!(model.leave_endpoint(endpoint_id(1)).unwrap().sandbox, None);
    assert!(
        model
            .leave_endpoint(endpoint_id(2))
            .unwrap()
            .sandbox
            .is_some()
    );
    assert_eq!(model.sandboxes().count(), 0);
}

#[test]
fn an_engines_networks_are_not_elected() {
    let mut model = lived_in();
    add(&mut model, 2, with_subnets("db", &["10.2.0.0/24"]));
    let ours = AttachRequest {
        gateway_priority: -1,
        ..AttachRequest::new(id(2), key("box"))
    };
    create(&mut model, 2, ours).unwrap();
    assert!(!model.engine_rules(&key("box")));
    join(&mut model, 1, "box").unwrap();
    assert!(model.engine_rules(&key("box")));
    assert!(!model.engine_rules(&key("other")));
    let elected = model.gateway_of(&key("box")).v4.unwrap();
    assert_eq!(elected.endpoint, endpoint_id(2));
    assert_eq!(elected.next_hop, NextHop::Router(ip("10.2.0.1")));
    model.leave_endpoint(endpoint_id(1)).unwrap();
    assert!(!model.engine_rules(&key("box")));
}

#[test]
fn who_holds_a_port_without_a_sandbox_is_named_by_its_id() {
    let mut model = lived_in();
    let specs = vec!["80:80".parse().unwrap()];
    model.publish(endpoint_id(1), &specs, &mut AllFree).unwrap();
    let request = AttachRequest {
        publish: specs,
        ..AttachRequest::new(id(1), key("box"))
    };
    assert_eq!(
        refusal(&mut model, |model| create(model, 2, request)).1,
        "port 0.0.0.0:80/tcp is already in use by endpoint 010101010101 on network web; choose another host \
         port"
    );
}

#[test]
fn labels_are_any_and_kept() {
    let mut model = model();
    add(&mut model, 1, given("web", &["10.1.0.0/24"]));
    let labels = [("".to_owned(), "a b".to_owned()), ("Ä=".into(), "".into())];
    let request = AttachRequest {
        labels: labels.clone().into(),
        ..engines(1, Some("10.1.0.9"))
    };
    let endpoint = create(&mut model, 1, request).unwrap();
    assert_eq!(endpoint.labels, labels.into());
    assert_eq!(endpoint.configured_by, Configurator::Engine);
    assert_eq!(restored(&model), model);
}
