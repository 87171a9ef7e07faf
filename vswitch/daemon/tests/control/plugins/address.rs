//! Networks of our own drivers whose addresses are a plugin's.

use vswitch_api::{Attach, NetworkCreate};

use super::network::{lent, remove};
use super::scripted::{Plugin, Says};
use crate::daemon::{Daemon, code, to};
use crate::lab;

#[test]
fn addresses_come_from_the_plugin_and_go_back_to_it() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("bridge", "web"));
        daemon.sandboxes(&["a", "b"]);
        plugin.calls();
        let a = daemon.attach("web", "a");
        assert_eq!(a.addresses[0].to_string(), "10.55.0.7/24");
        assert_eq!(plugin.methods(), ["IpamCapabilities", "RequestAddress"]);
        let chosen = Attach {
            ip: Some("10.55.0.99".parse().unwrap()),
            ..to("b")
        };
        daemon.try_attach("web", chosen).unwrap();
        assert_eq!(plugin.body("RequestAddress")["Address"], "10.55.0.99");
        assert_eq!(
            plugin.body("RequestAddress")["Options"]["com.docker.network.endpoint.name"],
            "b"
        );
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.55.0.99"));
        assert!(
            lab::succeeds_in("a", "ping -c 1 -W 5 10.55.0.1"),
            "the gateway is ours"
        );
        daemon.detach("web", "a");
        assert_eq!(plugin.has(), [0, 0, 1, 2]);
        remove(&daemon, "web", true).unwrap();
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn what_fails_gives_the_address_back() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("bridge", "web"));
        daemon.sandboxes(&["a"]);
        assert!(lab::succeeds_in("a", "ip link add lan0 type bridge"));
        let taken = Attach {
            ifname: Some("lan0".to_owned()),
            ..to("a")
        };
        assert_eq!(code(daemon.try_attach("web", taken)), "interface_in_use");
        assert_eq!(plugin.has(), [0, 0, 1, 1]);
        plugin.when("RequestAddress", Says::No("none left"));
        let refused = daemon.try_attach("web", to("a"));
        assert!(
            refused
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("none left")
        );
        assert_eq!(code(refused), "plugin_refused");
    });
}

#[test]
fn a_plugin_that_wants_the_mac_address_beforehand_gets_one() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("bridge", "web"));
        daemon.sandboxes(&["a"]);
        let needs = serde_json::json!({ "RequiresMACAddress": true });
        plugin.when("IpamCapabilities", Says::Instead(needs));
        let a = daemon.attach("web", "a");
        let told =
            plugin.body("RequestAddress")["Options"]["com.docker.network.endpoint.macaddress"]
                .clone();
        assert_eq!(told.as_str(), a.mac.as_deref());
    });
}

#[test]
fn addresses_are_kept_over_a_restart_and_given_back_if_their_endpoint_is_gone() {
    lab::isolated(|| {
        let (plugin, mut daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&NetworkCreate {
            ipv6: false,
            ..lent("bridge", "web")
        });
        daemon.sandboxes(&["a", "b"]);
        daemon.attach("web", "a");
        daemon.attach("web", "b");
        plugin.calls();
        daemon.kill();
        vswitch_netio::netns::NamedNetns::delete(&"b".parse().unwrap()).unwrap();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a"]);
        lab::eventually("it is given back", || plugin.has() == [0, 0, 1, 2]);
        assert_eq!(plugin.methods(), ["Activate", "ReleaseAddress"]);
    });
}

#[test]
fn an_address_that_is_given_twice_is_the_first_ones() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("fake", "web"));
        daemon.network(&lent("bridge", "own"));
        daemon.sandboxes(&["a", "b"]);
        for network in ["own", "web"] {
            let a = daemon.attach(network, "a");
            let again = serde_json::json!({ "Address": a.addresses[0] });
            plugin.when("RequestAddress", Says::Instead(again));
            plugin.calls();
            let refused = daemon.try_attach(network, to("b"));
            assert_eq!(code(refused), "address_in_use");
            let methods = plugin.methods();
            assert!(
                !methods.contains(&"ReleaseAddress".to_owned()),
                "{methods:?}"
            );
            plugin.as_ever();
            daemon.detach(network, "a");
            assert_eq!(plugin.methods().last().unwrap(), "ReleaseAddress");
        }
    });
}
