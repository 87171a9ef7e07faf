//! Endpoints of plugins' networks.

use std::collections::BTreeMap;

use serde_json::json;
use vswitch_api::{Attach, NetworkCreate};

use super::network::{lent, of, remove};
use super::scripted::{Plugin, Says, ip, source};
use crate::daemon::{Daemon, bridge, code, to};
use crate::lab;

/// A network `web` of the plugin, 10.55.0.0/24.
fn web() -> (Plugin, Daemon) {
    let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
    daemon.network(&NetworkCreate {
        subnets: vec!["10.55.0.0/24".parse().unwrap()],
        ..of("fake", "web")
    });
    daemon.sandboxes(&["a", "b"]);
    plugin.calls();
    (plugin, daemon)
}

#[test]
fn two_sandboxes_reach_each_other_on_a_plugins_network() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        let request = Attach {
            options: BTreeMap::from([("speed".to_owned(), "7".to_owned())]),
            publish: vec!["127.0.0.1:8080:80".to_owned()],
            ..to("a")
        };
        let a = daemon.try_attach("web", request).unwrap();
        let network = daemon.block_on(daemon.client().network("web")).unwrap();
        let ports = json!([{ "Proto": 6, "IP": "", "Port": 80,
            "HostIP": "127.0.0.1", "HostPort": 8080, "HostPortEnd": 8080 }]);
        let exposed = json!([{ "Proto": 6, "Port": 80 }]);
        assert_eq!(
            plugin.body("CreateEndpoint"),
            json!({
                "NetworkID": network.id,
                "EndpointID": a.id,
                "Interface": { "Address": "10.55.0.2/24", "AddressIPv6": "", "MacAddress": "" },
                "Options": {
                    "speed": "7",
                    "com.docker.network.portmap": ports,
                    "com.docker.network.endpoint.exposedports": exposed,
                },
            })
        );
        let options = json!({
            "com.docker.network.portmap": ports,
            "com.docker.network.endpoint.exposedports": exposed,
        });
        assert_eq!(
            plugin.body("Join"),
            json!({
                "NetworkID": network.id,
                "EndpointID": a.id,
                "SandboxKey": "/run/netns/a",
                "Options": options,
            })
        );
        assert_eq!(
            plugin.body("ProgramExternalConnectivity")["Options"],
            options
        );
        let calls = ["CreateEndpoint", "Join", "ProgramExternalConnectivity"];
        assert_eq!(plugin.methods(), calls);

        daemon.attach("web", "b");
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.55.0.3"));
        assert_eq!(a.ifname.as_deref(), Some("net0"));
        let link = lab::link("a", "net0").unwrap();
        assert_eq!(
            link.mac.unwrap().to_string(),
            a.mac.unwrap(),
            "the one it had"
        );
        assert!(link.alias.unwrap().contains(&a.id));
        assert_eq!(lab::addresses("a", "net0"), ["10.55.0.2/24"]);
        let gateway = ("10.55.0.1".parse().unwrap(), "net0".to_owned());
        assert_eq!(lab::default_route("a", 4), Some(gateway));
        assert!(lab::host_link(&source(&a.id)).is_none());
        let ports = daemon.block_on(daemon.client().ports(None)).unwrap();
        assert_eq!(ports, [], "they are the plugin's");
        assert_eq!(code(daemon.try_attach("web", to("a"))), "already_attached");

        plugin.calls();
        daemon.detach("web", "a");
        let calls = ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"];
        assert_eq!(plugin.methods(), calls);
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(plugin.has(), [1, 1, 0, 0]);
        assert!(
            lab::host_link(&source(&a.id)).is_none(),
            "it was back, so it could be removed"
        );
        assert_eq!(code(remove(&daemon, "web", false)), "network_in_use");
        remove(&daemon, "web", true).unwrap();
        assert_eq!((plugin.has(), lab::links("b").len()), ([0; 4], 1));
    });
}

#[test]
fn an_interface_comes_back_as_it_was() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        let a = daemon.attach("web", "a");
        // The user calls it otherwise, and the plugin does not remove it.
        assert!(lab::succeeds_in("a", "ip link set net0 down"));
        assert!(lab::succeeds_in("a", "ip link set net0 name mine"));
        plugin.when("DeleteEndpoint", Says::No("no"));
        daemon.detach("web", "a");
        assert_eq!(daemon.attached("web"), [""; 0]);
        let link = lab::host_link(&source(&a.id)).unwrap();
        assert_eq!((link.alias, link.up), (None, false));
        assert_eq!(lab::links("a").len(), 1);
    });
}

#[test]
fn the_plugin_chooses_what_was_left_open() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&NetworkCreate {
            subnets: vec![
                "10.55.0.0/24".parse().unwrap(),
                "fd00:5::/64".parse().unwrap(),
            ],
            ..of("fake", "web")
        });
        daemon.sandboxes(&["a", "b"]);
        let chosen = json!({ "Interface": { "MacAddress": "02:00:00:00:00:77" } });
        plugin.when("CreateEndpoint", Says::Instead(chosen));
        let a = daemon.attach("web", "a");
        assert_eq!(a.mac.as_deref(), Some("02:00:00:00:00:77"));
        let link = lab::link("a", "net0").unwrap();
        assert_eq!(link.mac.unwrap().to_string(), "02:00:00:00:00:77");
        let addresses = lab::addresses("a", "net0");
        assert_eq!(addresses, ["10.55.0.2/24", "fd00:5::2/64"]);

        // What was asked for, it may only repeat.
        let request = Attach {
            mac: Some("02:00:00:00:00:88".to_owned()),
            ifname: Some("lan7".to_owned()),
            ..to("b")
        };
        let refused = daemon.try_attach("web", request.clone());
        assert_eq!(code(refused), "plugin_refused");
        plugin.as_ever();
        daemon.try_attach("web", request).unwrap();
        let asked = plugin.body("CreateEndpoint")["Interface"].clone();
        let expected = json!({ "Address": "10.55.0.3/24", "AddressIPv6": "fd00:5::3/64",
            "MacAddress": "02:00:00:00:00:88" });
        assert_eq!(asked, expected);
        let link = lab::link("b", "lan7").unwrap();
        assert_eq!(link.mac.unwrap().to_string(), "02:00:00:00:00:88");
    });
}

#[test]
fn routes_are_the_plugins_and_the_default_route_is_elected() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        daemon.network(&bridge("own", "10.5.0.0/24"));
        // A gateway off the subnet, by a route to it.
        let a = daemon.attach("web", "a");
        daemon.detach("web", "a");
        let joined = |gateway: &str| {
            json!({
                "InterfaceName": { "SrcName": "late", "DstPrefix": "net" },
                "Gateway": gateway,
                "StaticRoutes": [
                    { "Destination": "169.254.7.1/32", "RouteType": 1 },
                    { "Destination": "10.99.0.0/16", "RouteType": 0, "NextHop": "10.55.0.1" },
                ],
            })
        };
        assert!(ip("link add late type veth peer name later"));
        plugin.when("Join", Says::Instead(joined("169.254.7.1")));
        let again = daemon.attach("web", "a");
        assert_ne!(a.id, again.id);
        let via = |sandbox: &str| {
            lab::default_route(sandbox, 4).map(|(gateway, ifname)| format!("{gateway} {ifname}"))
        };
        assert_eq!(via("a").as_deref(), Some("169.254.7.1 net0"));
        assert!(lab::succeeds_in("a", "ip route get 10.99.1.1"));
        daemon.attach("own", "a");
        assert_eq!(
            via("a").as_deref(),
            Some("10.5.0.1 eth0"),
            "own comes before web"
        );
        daemon.detach("own", "a");
        assert_eq!(via("a").as_deref(), Some("169.254.7.1 net0"));
        daemon.detach("web", "a");
        assert_eq!(via("a"), None);
        plugin.when("Join", Says::Instead(joined("169.254.7.1")));
        daemon.attach("own", "b");
        assert_eq!(via("b").as_deref(), Some("10.5.0.1 eth0"));
        let first = Attach {
            gateway_priority: 1,
            ..to("b")
        };
        daemon.try_attach("web", first).unwrap();
        assert_eq!(via("b").as_deref(), Some("169.254.7.1 net0"));
    });
}

#[test]
fn a_plugin_may_mark_its_interface_itself() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web();
        daemon.network(&bridge("own", "10.5.0.0/24"));
        assert!(ip("link add marked type veth peer name other"));
        assert!(ip("link set marked alias theirs"));
        let joined = json!({
            "InterfaceName": { "SrcName": "marked", "DstPrefix": "net" },
            "Gateway": "10.55.0.1",
        });
        plugin.when("Join", Says::Instead(joined));
        daemon.attach("own", "a");
        let first = Attach {
            gateway_priority: 1,
            ..to("a")
        };
        daemon.try_attach("web", first).unwrap();
        assert_eq!(
            lab::link("a", "net0").unwrap().alias.as_deref(),
            Some("theirs")
        );
        let via = || lab::default_route("a", 4).map(|(_, ifname)| ifname);
        assert_eq!(via().as_deref(), Some("net0"));
        daemon.kill();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a"]);
        daemon.detach("web", "a");
        assert_eq!(via().as_deref(), Some("eth0"));
        assert_eq!(
            lab::host_link("marked").unwrap().alias.as_deref(),
            Some("theirs")
        );
    });
}

#[test]
fn a_sandbox_that_ends_takes_its_endpoints_with_it() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("fake", "web"));
        daemon.network(&lent("bridge", "db"));
        daemon.sandboxes(&["a"]);
        daemon.attach("web", "a");
        daemon.attach("db", "a");
        assert_eq!(plugin.has(), [1, 1, 2, 4]);
        vswitch_netio::netns::NamedNetns::delete(&"a".parse().unwrap()).unwrap();
        lab::eventually("the plugin is told", || plugin.has() == [1, 0, 2, 2]);
        lab::eventually("nothing is known of it", || {
            daemon.known_sandboxes().is_empty()
        });
        assert_eq!(daemon.attached("web"), [""; 0]);
        remove(&daemon, "web", false).unwrap();
        remove(&daemon, "db", false).unwrap();
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn an_interface_may_have_no_mac_address() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web();
        assert!(ip("tuntap add dev late mode tun"));
        assert!(ip("link set late alias theirs"));
        let joined = json!({
            "InterfaceName": { "SrcName": "late", "DstPrefix": "net" },
            "Gateway": "10.55.0.1",
        });
        plugin.when("Join", Says::Instead(joined));
        daemon.attach("web", "a");
        assert_eq!(lab::link("a", "net0").unwrap().mac, None);
        assert_eq!(lab::addresses("a", "net0"), ["10.55.0.2/24"]);
        let gateway = ("10.55.0.1".parse().unwrap(), "net0".to_owned());
        assert_eq!(lab::default_route("a", 4), Some(gateway));
        daemon.kill();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a"]);
        daemon.detach("web", "a");
        assert!(lab::host_link("late").is_some());
    });
}

#[test]
fn the_default_route_is_elected_anew_even_if_the_interface_cannot_go_back() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        daemon.network(&bridge("own", "10.5.0.0/24"));
        daemon.attach("own", "a");
        let first = Attach {
            gateway_priority: 1,
            ..to("a")
        };
        let a = daemon.try_attach("web", first).unwrap();
        let via = || lab::default_route("a", 4).map(|(_, ifname)| ifname);
        assert_eq!(via().as_deref(), Some("net0"));
        assert!(ip(&format!("link add {} type bridge", source(&a.id))));
        plugin.when("DeleteEndpoint", Says::No("no"));
        daemon.detach("web", "a");
        assert_eq!(daemon.logged(&["cannot give the interface back"]), 1);
        assert_eq!(via().as_deref(), Some("eth0"));
    });
}
