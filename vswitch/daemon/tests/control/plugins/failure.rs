//! Attaching that fails half-way: nothing is left of it, here and at the plugin.

use serde_json::json;
use vswitch_api::{Attach, NetworkCreate};

use super::network::{lent, of, remove};
use super::scripted::{Plugin, Says, ip};
use crate::daemon::{Daemon, bridge, code, to};
use crate::lab;

/// A network `web` of the plugin, with addresses of the plugin.
fn web() -> (Plugin, Daemon) {
    let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
    daemon.network(&lent("fake", "web"));
    daemon.sandboxes(&["a"]);
    (plugin, daemon)
}

/// What is there of `web` alone: the network, a pool, its gateway.
const NOTHING_MORE: [usize; 4] = [1, 0, 1, 1];

#[test]
fn each_step_is_undone_when_the_next_one_fails() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        let interface = |source: &str| {
            json!({
                "InterfaceName": { "SrcName": source, "DstPrefix": "net" },
            })
        };
        let steps = [
            ("RequestAddress", Says::No("no"), "plugin_refused"),
            ("CreateEndpoint", Says::No("no"), "plugin_refused"),
            ("CreateEndpoint", Says::Garbage, "plugin_refused"),
            ("Join", Says::No("no"), "plugin_refused"),
            ("Join", Says::Garbage, "plugin_refused"),
            (
                "Join",
                Says::Instead(interface("nowhere")),
                "kernel_refused",
            ),
            (
                "Join",
                Says::Instead(json!({ "Gateway": "fd00::1" })),
                "plugin_refused",
            ),
            (
                "Join",
                Says::Instead(interface("no/name")),
                "kernel_refused",
            ),
            (
                "ProgramExternalConnectivity",
                Says::No("no"),
                "plugin_refused",
            ),
        ];
        for (method, says, expected) in steps {
            plugin.when(method, says.clone());
            let refused = daemon.try_attach("web", to("a"));
            assert_eq!(code(refused), expected, "{method} {says:?}");
            plugin.as_ever();
            assert_eq!(
                plugin.has(),
                NOTHING_MORE,
                "{method} {says:?}: {:?}",
                plugin.methods()
            );
            assert_eq!(daemon.attached("web"), [""; 0], "{method} {says:?}");
            assert_eq!(lab::links("a").len(), 1, "{method} {says:?}");
            assert_eq!(lab::default_route("a", 4), None);
        }
        let endpoint = daemon.attach("web", "a");
        assert_eq!(lab::addresses("a", "net0").len(), 1);
        // One whom it tells nothing needs no method for it.
        daemon.detach("web", "a");
        plugin.when("ProgramExternalConnectivity", Says::Unknown);
        plugin.when("RevokeExternalConnectivity", Says::Unknown);
        assert_ne!(daemon.attach("web", "a").id, endpoint.id);
        daemon.detach("web", "a");
        assert_eq!(plugin.has(), NOTHING_MORE);
        remove(&daemon, "web", false).unwrap();
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn what_the_sandbox_refuses_is_undone_at_the_plugin() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        let named = Attach {
            ifname: Some("lo".to_owned()),
            ..to("a")
        };
        assert_eq!(
            code(daemon.try_attach("web", named)),
            "interface_name_invalid"
        );
        assert_eq!(plugin.has(), NOTHING_MORE);
        let elsewhere = Attach {
            ip: Some("10.9.9.9".parse().unwrap()),
            ..to("a")
        };
        let refused = daemon.try_attach("web", elsewhere);
        assert_eq!(code(refused), "address_not_in_subnet");
        plugin.calls();
        assert_eq!(
            code(daemon.try_attach("web", to("nobody"))),
            "sandbox_not_found"
        );
        assert_eq!(code(daemon.try_attach("web", to("host"))), "host_sandbox");
        assert_eq!(
            plugin.methods(),
            [""; 0],
            "what is known to be wrong is not asked for"
        );
        assert!(lab::succeeds_in("a", "ip link add net0 type bridge"));
        let request = Attach {
            ifname: Some("net0".to_owned()),
            ..to("a")
        };
        assert_eq!(code(daemon.try_attach("web", request)), "interface_in_use");
        assert_eq!((plugin.has(), lab::links("a").len()), (NOTHING_MORE, 2));

        // A default route that cannot be: the interface is in the sandbox by then.
        assert!(ip("link add late type veth peer name later"));
        let joined = json!({
            "InterfaceName": { "SrcName": "late", "DstPrefix": "net" },
            "Gateway": "10.99.9.9",
        });
        plugin.when("Join", Says::Instead(joined));
        assert_eq!(code(daemon.try_attach("web", to("a"))), "kernel_refused");
        assert_eq!((plugin.has(), lab::links("a").len()), (NOTHING_MORE, 2));
        let link = lab::host_link("late").unwrap();
        assert_eq!((link.alias, link.up), (None, false));
    });
}

#[test]
fn a_plugin_that_is_away_keeps_nothing_from_being_detached() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        daemon.attach("web", "a");
        std::fs::remove_file(plugin.socket()).unwrap();
        let refused = daemon.try_attach("web", to("b"));
        assert_eq!(code(refused), "sandbox_not_found");
        daemon.detach("web", "a");
        assert_eq!(
            (daemon.attached("web").len(), lab::links("a").len()),
            (0, 1)
        );
        assert_eq!(code(daemon.try_attach("web", to("a"))), "plugin_not_found");
        assert!(
            daemon.logged(&["WARN", "no plugin"]) > 0,
            "{}",
            daemon.log()
        );
    });
}

#[test]
fn a_plugin_that_died_is_told_of() {
    lab::isolated(|| {
        let (mut plugin, daemon) = web();
        // The socket is there, and nobody behind it.
        plugin.stop();
        let refused = daemon.try_attach("web", to("a"));
        let message = refused.as_ref().unwrap_err().to_string();
        assert!(message.contains("is it running?"), "{message}");
        assert_eq!(code(refused), "plugin_away");
        plugin.start();
        daemon.attach("web", "a");
    });
}

#[test]
fn what_is_being_changed_is_left_alone() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        plugin.when("Join", Says::Nothing);
        let client = daemon.client();
        let request = to("a");
        let (attached, removed) = daemon.block_on(async {
            let removal = async {
                // By then it is there, and waits.
                while plugin.calls().iter().all(|call| call.method != "Join") {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                client.remove_network("web", true).await
            };
            tokio::join!(client.attach("web", &request), removal)
        });
        assert_eq!(code(removed), "busy");
        assert_eq!(code(attached), "plugin_away");
        assert_eq!(plugin.has(), NOTHING_MORE);
    });
}

#[test]
fn what_is_not_the_plugins_is_not_moved() {
    lab::isolated(|| {
        let (plugin, daemon) = web();
        for pair in ["wan", "member", "nic"] {
            assert!(ip(&format!(
                "link add {pair} up type veth peer name {pair}2"
            )));
            assert!(ip(&format!("link set {pair}2 up")));
        }
        assert!(ip("address add 192.0.2.7/24 dev wan"));
        assert!(ip("link set member master fake0"));
        daemon.network(&NetworkCreate {
            options: [("parent".to_owned(), "nic".to_owned())].into(),
            ..of("macvlan", "lan")
        });
        daemon.network(&bridge("own", "10.5.0.0/24"));
        let ours = lab::host_taps();
        assert!(!ours.is_empty());
        let others = ["lo", "wan", "member", "nic"].map(str::to_owned);
        for source in ours.into_iter().chain(others) {
            let joined = json!({
                "InterfaceName": { "SrcName": source, "DstPrefix": "net" },
            });
            plugin.when("Join", Says::Instead(joined));
            let refused = daemon.try_attach("web", to("a"));
            assert_eq!(code(refused), "kernel_refused", "{source}");
            assert!(lab::host_link(&source).unwrap().up, "{source}");
            assert_eq!(lab::links("a").len(), 1, "{source}");
            assert_eq!(plugin.has(), NOTHING_MORE, "{source}");
        }
    });
}

#[test]
fn a_network_that_somebody_comes_to_is_not_removed() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.sandboxes(&["a"]);
        for driver in ["fake", "bridge"] {
            daemon.network(&lent(driver, "web"));
            // The answer comes late, if at all.
            plugin.when("RequestAddress", Says::Nothing);
            plugin.calls();
            let client = daemon.client();
            let request = to("a");
            let (attached, removed) = daemon.block_on(async {
                let removal = async {
                    let is_asked = || plugin.methods().contains(&"RequestAddress".to_owned());
                    while !is_asked() {
                        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    }
                    client.remove_network("web", true).await
                };
                tokio::join!(client.attach("web", &request), removal)
            });
            assert_eq!(code(removed), "busy", "{driver}");
            assert_eq!(code(attached), "plugin_away", "{driver}");
            plugin.as_ever();
            remove(&daemon, "web", false).unwrap();
            assert_eq!(plugin.has(), [0; 4], "{driver}");
        }
    });
}
