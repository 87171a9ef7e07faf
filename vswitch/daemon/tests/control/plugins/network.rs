//! Networks of plugins.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vswitch_api::NetworkCreate;

use super::scripted::{Plugin, Says, ip};
use crate::daemon::{Daemon, code, to};
use crate::lab;

pub(super) fn of(driver: &str, name: &str) -> NetworkCreate {
    NetworkCreate {
        driver: driver.to_owned(),
        ..NetworkCreate::new(name)
    }
}

/// One whose addresses are a plugin's too.
pub(super) fn lent(driver: &str, name: &str) -> NetworkCreate {
    NetworkCreate {
        ipam: Some("fake".to_owned()),
        ..of(driver, name)
    }
}

/// The networks that are there beside those that always are.
pub(super) fn networks(daemon: &Daemon) -> Vec<String> {
    let networks = daemon.block_on(daemon.client().networks()).unwrap();
    let names = networks.into_iter().map(|network| network.name);
    names
        .filter(|name| name != "host" && name != "none")
        .collect()
}

pub(super) fn remove(
    daemon: &Daemon,
    network: &str,
    force: bool,
) -> Result<(), vswitch_api::ClientError> {
    daemon.block_on(daemon.client().remove_network(network, force))
}

#[test]
fn a_network_is_made_and_removed_at_its_plugin() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        let request = NetworkCreate {
            subnets: vec![
                "10.5.0.0/24".parse().unwrap(),
                "fd00:5::/64".parse().unwrap(),
            ],
            aux_addresses: BTreeMap::from([("nas".to_owned(), "10.5.0.9".parse().unwrap())]),
            internal: true,
            options: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            ..of("fake", "web")
        };
        let id = daemon.network(&request);
        assert_eq!(plugin.body("Activate"), Value::Null);
        let expected = json!({
            "NetworkID": id,
            "Options": {
                "com.docker.network.generic": { "a": "b" },
                "com.docker.network.enable_ipv4": true,
                "com.docker.network.enable_ipv6": true,
                "com.docker.network.internal": true,
            },
            "IPv4Data": [{
                "AddressSpace": "LocalDefault",
                "Pool": "10.5.0.0/24",
                "Gateway": "10.5.0.1/24",
                "AuxAddresses": { "nas": "10.5.0.9/24" },
            }],
            "IPv6Data": [{
                "AddressSpace": "LocalDefault",
                "Pool": "fd00:5::/64",
                "Gateway": "fd00:5::1/64",
            }],
        });
        assert_eq!(plugin.body("CreateNetwork"), expected);
        assert_eq!(
            plugin.methods(),
            ["Activate", "GetCapabilities", "CreateNetwork"]
        );

        let network = daemon.block_on(daemon.client().network("web")).unwrap();
        assert_eq!(network.driver, "fake");
        assert_eq!(network.ipam.driver, "default");
        assert_eq!(network.options["a"], "b");
        assert_eq!(lab::host_taps(), [""; 0], "there is no bridge of ours");

        remove(&daemon, "web", false).unwrap();
        assert_eq!(plugin.methods(), ["DeleteNetwork"]);
        assert_eq!(plugin.has(), [0; 4]);
        assert_eq!(networks(&daemon), [""; 0]);
    });
}

#[test]
fn a_refusal_of_the_plugin_is_told_and_nothing_is_made() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        for method in ["Activate", "GetCapabilities", "CreateNetwork"] {
            plugin.when(method, Says::No("out of luck"));
            let refused = daemon.block_on(daemon.client().create_network(&of("fake", "web")));
            let error = refused.as_ref().unwrap_err().to_string();
            assert!(
                error.contains("plugin fake") && error.contains("out of luck"),
                "{error}"
            );
            assert_eq!(code(refused), "plugin_refused");
            assert_eq!(
                (plugin.has(), networks(&daemon)),
                ([0; 4], vec![]),
                "{method}"
            );
            plugin.as_ever();
        }
        // It may have done it, for all that is known.
        plugin.when("CreateNetwork", Says::Garbage);
        let refused = daemon.block_on(daemon.client().create_network(&of("fake", "web")));
        assert_eq!(code(refused), "plugin_refused");
        assert_eq!((plugin.has(), networks(&daemon)), ([0; 4], vec![]));
        plugin.as_ever();
        daemon.network(&of("fake", "web"));
        assert_eq!(plugin.has(), [1, 0, 0, 0]);
    });
}

#[test]
fn what_is_known_to_be_wrong_is_not_asked_for() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::of("fake", &["IpamDriver"]), Daemon::new());
        let create = |request: &NetworkCreate| {
            let refused = daemon.block_on(daemon.client().create_network(request));
            let message = refused.as_ref().unwrap_err().to_string();
            (code(refused), message)
        };
        let (code, message) = create(&of("weave", "web"));
        assert_eq!(code, "unknown_driver");
        for part in [
            "bridge, overlay, macvlan",
            "/run/docker/plugins/weave.sock",
            "/etc/docker/plugins",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let request = NetworkCreate {
            ipam: Some("infoblox".to_owned()),
            ..NetworkCreate::new("web")
        };
        let (code, message) = create(&request);
        assert_eq!(code, "unknown_driver");
        assert!(
            message.contains("default, dhcp") && message.contains("infoblox.sock"),
            "{message}"
        );
        let (code, message) = create(&of("fake", "web"));
        assert_eq!(code, "plugin_not_found");
        assert!(message.contains("no NetworkDriver"), "{message}");
        let request = NetworkCreate {
            gateways: vec!["10.9.0.1".parse().unwrap()],
            ..lent("bridge", "web")
        };
        assert_eq!(create(&request).0, "address_not_in_subnet");
        let request = NetworkCreate {
            ipam_options: BTreeMap::from([("zone".to_owned(), "7".to_owned())]),
            ..NetworkCreate::new("web")
        };
        assert_eq!(create(&request).0, "bad_request");
        assert_eq!((plugin.has(), networks(&daemon)), ([0; 4], vec![]));
        assert_eq!(plugin.methods(), ["Activate"], "once in its life");
    });
}

#[test]
fn the_daemon_is_no_plugin_of_its_own() {
    lab::isolated(|| {
        let mut daemon = Daemon::stopped();
        daemon.start_with(&["--docker-plugin", "/run/docker/plugins/vswitch.sock"]);
        for request in [
            of("vswitch", "web"),
            NetworkCreate {
                ipam: Some("vswitch".to_owned()),
                ..NetworkCreate::new("web")
            },
        ] {
            let refused = daemon.block_on(daemon.client().create_network(&request));
            assert_eq!(code(refused), "unknown_driver");
        }
        assert_eq!(networks(&daemon), [""; 0]);
    });
}

#[test]
fn pools_that_overlap_are_kept_until_one_does_not_and_then_released() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        assert!(ip("route add 10.55.0.0/16 dev fake0"));
        daemon.network(&NetworkCreate {
            subnets: vec!["10.56.0.0/24".parse().unwrap()],
            ..NetworkCreate::new("other")
        });
        let request = NetworkCreate {
            ipam_options: BTreeMap::from([("zone".to_owned(), "7".to_owned())]),
            ..lent("fake", "web")
        };
        daemon.network(&request);
        let expected = [
            "Activate",
            "GetCapabilities",
            "GetDefaultAddressSpaces",
            "RequestPool",
            "RequestPool",
            "RequestPool",
            "ReleasePool",
            "ReleasePool",
            "RequestAddress",
            "CreateNetwork",
        ];
        let created = plugin.body("CreateNetwork");
        let data =
            json!([{ "AddressSpace": "fl", "Pool": "10.57.0.0/24", "Gateway": "10.57.0.1/24" }]);
        assert_eq!(created["IPv4Data"], data);
        assert_eq!(plugin.pool_options(), json!({ "zone": "7" }));
        assert_eq!(plugin.methods(), expected);
        assert_eq!(plugin.has(), [1, 0, 1, 1]);
        let network = daemon.block_on(daemon.client().network("web")).unwrap();
        assert_eq!(network.ipam.driver, "fake");
        assert_eq!(network.ipam.options["zone"], "7");

        // Nothing is left that overlaps nothing.
        let refused = daemon.block_on(daemon.client().create_network(&lent("fake", "more")));
        assert_eq!(code(refused), "plugin_refused");
        assert_eq!(plugin.has(), [1, 0, 1, 1]);
        plugin.calls();
        remove(&daemon, "web", false).unwrap();
        assert_eq!(
            plugin.methods(),
            ["DeleteNetwork", "ReleaseAddress", "ReleasePool"]
        );
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn whatever_fails_of_a_network_with_pools_is_undone() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        let request = |driver: &str| NetworkCreate {
            subnets: vec!["10.5.0.0/24".parse().unwrap()],
            aux_addresses: BTreeMap::from([("nas".to_owned(), "10.5.0.9".parse().unwrap())]),
            ..lent(driver, "web")
        };
        let steps = [
            ("fake", "GetDefaultAddressSpaces", Says::No("no")),
            ("fake", "RequestPool", Says::No("no")),
            (
                "fake",
                "RequestPool",
                Says::Instead(json!({
                    "PoolID": "pool/10.5.0.0/24",
                    "Pool": "10.6.0.0/24",
                    "Data": { "com.docker.network.gateway": "10.6.0.1/24" },
                })),
            ),
            ("fake", "RequestAddress", Says::No("no")),
            (
                "fake",
                "RequestAddress",
                Says::Instead(json!({ "Address": "" })),
            ),
            (
                "fake",
                "RequestAddress",
                Says::Instead(json!({ "Address": "10.6.0.1/24" })),
            ),
            ("fake", "CreateNetwork", Says::No("no")),
            ("bridge", "RequestAddress", Says::No("no")),
        ];
        for (driver, method, says) in steps {
            plugin.when(method, says.clone());
            let refused = daemon.block_on(daemon.client().create_network(&request(driver)));
            assert_eq!(
                code(refused),
                "plugin_refused",
                "{driver} {method} {says:?}"
            );
            plugin.as_ever();
            let [networks_there, endpoints, pools, _] = plugin.has();
            assert_eq!(
                [networks_there, endpoints, pools],
                [0; 3],
                "{driver} {method} {says:?}"
            );
            assert_eq!(networks(&daemon), [""; 0]);
        }
        // The model's own refusal comes when the pools are there.
        daemon.network(&NetworkCreate::new("web"));
        for driver in ["fake", "bridge"] {
            let refused = daemon.block_on(daemon.client().create_network(&request(driver)));
            assert_eq!(code(refused), "network_exists");
            assert_eq!(plugin.has(), [0; 4]);
        }
        remove(&daemon, "web", false).unwrap();
        daemon.network(&request("fake"));
        assert_eq!(plugin.has(), [1, 0, 1, 2]);
        remove(&daemon, "web", false).unwrap();
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn a_network_is_removed_without_its_plugin_only_by_force() {
    lab::isolated(|| {
        let (mut plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&lent("fake", "web"));
        daemon.network(&lent("bridge", "db"));
        std::fs::remove_file(plugin.socket()).unwrap();
        for network in ["web", "db"] {
            let refused = remove(&daemon, network, false);
            let message = refused.as_ref().unwrap_err().to_string();
            assert!(message.contains("--force"), "{message}");
            assert_eq!(code(refused), "plugin_not_found");
        }
        assert_eq!(networks(&daemon), ["db", "web"]);
        remove(&daemon, "web", true).unwrap();
        assert_eq!(networks(&daemon), ["db"]);
        // A refusal is no hindrance.
        plugin.stop();
        plugin.start();
        plugin.when("ReleasePool", Says::No("not now"));
        plugin.calls();
        remove(&daemon, "db", false).unwrap();
        assert_eq!(networks(&daemon), [""; 0]);
        assert_eq!(
            plugin.methods(),
            ["Activate", "ReleaseAddress", "ReleasePool"],
            "activated anew"
        );
    });
}

#[test]
fn a_plugin_that_does_not_answer_is_given_up_and_hinders_nobody_else() {
    lab::isolated(|| {
        let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
        daemon.network(&NetworkCreate {
            subnets: vec!["10.55.0.0/24".parse().unwrap()],
            ..of("fake", "web")
        });
        daemon.sandboxes(&["a"]);
        plugin.when("CreateEndpoint", Says::Nothing);
        let client = daemon.client();
        let (request, other) = (to("a"), NetworkCreate::new("other"));
        let (attached, created) = daemon.block_on(async {
            let slow = async {
                let attached = client.attach("web", &request).await;
                (attached, std::time::Instant::now())
            };
            let quick = async {
                let created = client.create_network(&other).await;
                (created, std::time::Instant::now())
            };
            tokio::join!(slow, quick)
        });
        created.0.unwrap();
        assert!(created.1 < attached.1, "one waited for the other");
        let message = attached.0.as_ref().unwrap_err().to_string();
        assert!(
            message.contains("did not answer NetworkDriver.CreateEndpoint"),
            "{message}"
        );
        assert_eq!(code(attached.0), "plugin_away");
        // It may have made it.
        assert_eq!(plugin.methods().last().unwrap(), "DeleteEndpoint");
        assert_eq!(daemon.attached("web"), [""; 0]);
        plugin.as_ever();
        daemon.attach("web", "a");
    });
}
