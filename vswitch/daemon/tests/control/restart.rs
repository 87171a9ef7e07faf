//! The daemon dies or ends, and is started again.

use std::fs;
use std::time::{Duration, Instant};

use vswitch_api::NetworkCreate;
use vswitch_cnm::{Endpoint, Phase, Sandbox, SandboxKey};
use vswitch_netio::netns::NamedNetns;
use vswitchd::daemon_id::DaemonId;
use vswitchd::store::{Change, Table};

use crate::daemon::{Daemon, bridge, to};
use crate::lab;

/// A daemon with network `web` (10.5.0.0/24) and the sandboxes a and b on it.
fn web_of_two() -> Daemon {
    let daemon = Daemon::new();
    daemon.network(&bridge("web", "10.5.0.0/24"));
    daemon.sandboxes(&["a", "b"]);
    daemon.attach("web", "a");
    daemon.attach("web", "b");
    daemon
}

/// Changes the phase of the endpoint in a sandbox, as a crash would leave it.
fn set_phase(daemon: &Daemon, sandbox: &str, phase: Phase) {
    let mut store = daemon.store();
    let endpoints: Vec<Endpoint> = store.load(Table::Endpoints).unwrap();
    let mut endpoint = endpoints
        .into_iter()
        .find(|endpoint| endpoint.whereabouts() == sandbox)
        .unwrap();
    endpoint.phase = phase;
    let change = Change::put(Table::Endpoints, endpoint.id, &endpoint).unwrap();
    store.commit(&[change]).unwrap();
}

#[test]
fn a_killed_daemon_finds_everything_again() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        let before = (lab::link("a", "eth0").unwrap(), lab::host_taps());
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.5.0.3"));
        daemon.kill();
        let alone = lab::link("a", "eth0").unwrap();
        assert!(alone.up && !alone.carrier);
        assert_eq!(lab::addresses("a", "eth0"), ["10.5.0.2/24"]);

        daemon.start();
        assert_eq!(daemon.attached("web"), ["a", "b"]);
        lab::eventually("the carrier is back", || {
            (lab::link("a", "eth0").unwrap(), lab::host_taps()) == before
        });
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.5.0.3"));
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.5.0.1"));
        // Addresses that are held are not given out again.
        daemon.sandboxes(&["c"]);
        let endpoint = daemon.attach("web", "c");
        assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.4/24");
        daemon.detach("web", "a");
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(daemon.logged(&["WARN"]), 0, "{}", daemon.log());
    });
}

#[test]
fn a_daemon_that_is_told_to_end_leaves_interfaces_and_records() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        assert!(daemon.terminate().success());
        assert!(!daemon.socket().exists());
        assert_eq!(lab::addresses("a", "eth0"), ["10.5.0.2/24"]);
        assert_eq!(lab::host_taps().len(), 1);
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a", "b"]);
        assert!(lab::succeeds_in("b", "ping -c 1 -W 5 10.5.0.2"));
    });
}

#[test]
fn a_killed_daemon_that_is_not_quite_gone_is_waited_for() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        let names: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        daemon.sandboxes(&names);
        for name in &names {
            daemon.attach("web", name);
        }
        for _ in 0..3 {
            let start = Instant::now();
            daemon.kill_and_start();
            println!(
                "{} endpoints again after {:?}",
                names.len(),
                start.elapsed()
            );
            assert_eq!(daemon.attached("web").len(), names.len());
            for name in &names {
                assert!(lab::link(name, "eth0").unwrap().carrier, "{name}");
            }
            assert!(lab::succeeds_in("s3", "ping -c 1 -W 5 10.5.0.9"));
        }
        assert_eq!(daemon.logged(&["ERROR"]), 0);
        assert_eq!(daemon.logged(&["WARN"]), 0);
    });
}

#[test]
fn attaching_that_was_interrupted_is_undone() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        daemon.kill();
        set_phase(&daemon, "a", Phase::Attaching);
        daemon.start();
        assert_eq!(daemon.attached("web"), ["b"]);
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(
            daemon.logged(&["WARN", "attaching was interrupted: undone"]),
            1
        );
        assert_eq!(daemon.logged(&["WARN"]), 1);
        let endpoint = daemon.attach("web", "a");
        assert_eq!(
            endpoint.addresses[0].to_string(),
            "10.5.0.2/24",
            "free again"
        );
    });
}

#[test]
fn detaching_that_was_interrupted_is_finished() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        daemon.kill();
        set_phase(&daemon, "b", Phase::Detaching);
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a"]);
        assert_eq!(lab::links("b").len(), 1);
        assert_eq!(
            daemon.logged(&["WARN", "detaching was interrupted: finished"]),
            1
        );
        assert_eq!(daemon.logged(&["WARN"]), 1);
    });
}

#[test]
fn a_namespace_that_vanished_meanwhile_takes_its_endpoint_along() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        NamedNetns::create("borrowed".parse().unwrap()).unwrap();
        daemon.attach("web", "borrowed");
        daemon.kill();
        for name in ["a", "borrowed"] {
            NamedNetns::delete(&name.parse().unwrap()).unwrap();
        }
        // Somebody else's namespace of the same name is another one.
        NamedNetns::create("a".parse().unwrap()).unwrap();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["b"]);
        assert_eq!(daemon.known_sandboxes(), ["b"]);
        assert_eq!(
            daemon.logged(&["WARN", "namespace is gone: endpoint removed"]),
            2
        );
        assert_eq!(
            daemon.logged(&["WARN", "namespace is gone: sandbox removed"]),
            1
        );
        let endpoint = daemon.attach("web", "a");
        assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.2/24");
    });
}

#[test]
fn a_missing_interface_is_made_anew() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        let before = lab::link("a", "eth0").unwrap();
        daemon.kill();
        lab::netlink("a").delete_link(before.index).unwrap();
        let host_port = lab::host_taps().remove(0);
        let index = lab::host_link(&host_port).unwrap().index;
        vswitch_netio::netlink::Netlink::open()
            .unwrap()
            .delete_link(index)
            .unwrap();
        daemon.start();
        let after = lab::link("a", "eth0").unwrap();
        assert_eq!((after.mac, after.mtu), (before.mac, before.mtu));
        assert_eq!(lab::addresses("a", "eth0"), ["10.5.0.2/24"]);
        let gateway = ("10.5.0.1".parse().unwrap(), "eth0".to_owned());
        assert_eq!(lab::default_route("a", 4), Some(gateway));
        assert_eq!(lab::host_taps(), [host_port]);
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.5.0.3"));
        assert_eq!(
            daemon.logged(&["WARN", "interface was missing: made anew"]),
            1
        );
        assert_eq!(
            daemon.logged(&["WARN", "host port was missing: made anew"]),
            1
        );
    });
}

#[test]
fn an_interface_that_was_renamed_is_found() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        let index = lab::link("a", "eth0").unwrap().index;
        lab::netlink("a").rename(index, &lab::name("lan")).unwrap();
        daemon.kill();
        daemon.start();
        lab::eventually("the carrier is back", || {
            lab::link("a", "lan").unwrap().carrier
        });
        daemon.detach("web", "a");
        assert_eq!(lab::links("a").len(), 1);
    });
}

#[test]
fn orphans_are_removed_and_what_is_others_stays() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        daemon.kill();
        let (ours, theirs) = (daemon.id(), DaemonId::new([0xee; 8]));
        lab::leave_tap("orphan0", &ours.alias(&"0123"));
        lab::leave_tap("other0", &theirs.alias(&"0123"));
        lab::netns("a")
            .run(|| {
                lab::leave_tap("orphan1", &ours.alias(&"4567"));
                lab::leave_tap("other1", &theirs.alias(&"4567"));
                lab::leave_tap("mine", "a note");
            })
            .unwrap();
        daemon.start();
        assert!(lab::host_link("orphan0").is_none());
        assert!(lab::host_link("other0").is_some());
        let left: Vec<String> = lab::links("a").into_iter().collect();
        assert_eq!(left, ["eth0", "lo", "mine", "other1"]);
        assert_eq!(daemon.logged(&["WARN", "orphaned interface removed"]), 2);
        assert_eq!(daemon.logged(&["WARN"]), 2);
    });
}

#[test]
fn a_sandbox_half_made_is_undone() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        daemon.kill();
        NamedNetns::create("half".parse().unwrap()).unwrap();
        let record = Sandbox {
            key: SandboxKey::Name("half".to_owned()),
            owned: true,
            netns: None,
        };
        let change = Change::put(Table::Sandboxes, "half", &record).unwrap();
        daemon.store().commit(&[change]).unwrap();
        daemon.start();
        assert!(daemon.known_sandboxes().is_empty());
        assert!(NamedNetns::list().unwrap().is_empty());
        assert_eq!(daemon.logged(&["WARN", "interrupted: undone"]), 1);
        daemon.sandboxes(&["half"]);
    });
}

#[test]
fn a_namespace_that_only_we_keep_alive_is_let_go() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        daemon.kill();
        // From now on the queues of a are opened inside of it.
        daemon.start();
        NamedNetns::delete(&"a".parse().unwrap()).unwrap();
        lab::eventually("the endpoint is gone", || daemon.attached("web") == ["b"]);
        assert_eq!(daemon.known_sandboxes(), ["b"]);
        assert_eq!(
            daemon.logged(&["WARN", "namespace is gone: endpoint removed"]),
            1
        );
        assert_eq!(
            daemon.logged(&["WARN", "namespace is gone: sandbox removed"]),
            1
        );
    });
}

#[test]
fn a_namespace_without_a_name_lives_as_long_as_its_processes() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        let mut process = lab::process_in("a");
        daemon.kill();
        NamedNetns::delete(&"a".parse().unwrap()).unwrap();
        daemon.start();
        // Longer than a sweep takes to come.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(daemon.attached("web"), ["a", "b"]);
        process.kill().unwrap();
        process.wait().unwrap();
        lab::eventually("the endpoint is gone", || daemon.attached("web") == ["b"]);
    });
}

#[test]
fn the_mtu_follows_the_configuration() {
    lab::isolated(|| {
        let mut daemon = web_of_two();
        daemon.terminate();
        let file = daemon.folder().join("vswitchd.toml");
        fs::write(&file, "mtu = 1300\n").unwrap();
        daemon.start_with(&["--config", file.to_str().unwrap()]);
        assert_eq!(lab::link("a", "eth0").unwrap().mtu, 1300);
        assert_eq!(lab::host_link(&lab::host_taps()[0]).unwrap().mtu, 1300);
    });
}

#[test]
fn dual_stack_and_internal_networks_come_back_too() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        let request = NetworkCreate {
            ipv6: true,
            internal: true,
            ..NetworkCreate::new("deep")
        };
        daemon.network(&request);
        daemon.sandboxes(&["a"]);
        daemon.attach("deep", "a");
        let before = daemon.block_on(daemon.client().network("deep")).unwrap();
        daemon.kill();
        daemon.start();
        let after = daemon.block_on(daemon.client().network("deep")).unwrap();
        assert_eq!(before, after);
        assert_eq!(lab::addresses("a", "eth0").len(), 2);
    });
}

#[test]
fn killed_at_any_moment_nothing_is_half_made() {
    lab::isolated(|| {
        const SANDBOXES: [&str; 3] = ["a", "b", "c"];
        let mut daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&SANDBOXES);
        for round in 0..12 {
            let client = daemon.client();
            // Attaches and detaches until the daemon is gone.
            let user = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                for sandbox in SANDBOXES.iter().cycle() {
                    let detached = runtime.block_on(client.detach("web", sandbox));
                    let attached = runtime.block_on(client.attach("web", &to(sandbox)));
                    let alive = [detached.err(), attached.err()]
                        .into_iter()
                        .flatten()
                        .all(|error| error.code().is_some());
                    if !alive {
                        return;
                    }
                }
            });
            // Moments spread over several commands, another one each round.
            std::thread::sleep(Duration::from_millis(40 + 17 * round));
            daemon.kill();
            user.join().unwrap();
            daemon.start();
            let attached = daemon.attached("web");
            for sandbox in SANDBOXES {
                let expected = 1 + usize::from(attached.iter().any(|name| name == sandbox));
                assert_eq!(
                    lab::links(sandbox).len(),
                    expected,
                    "{sandbox} in round {round}"
                );
            }
            assert_eq!(lab::host_taps().len(), 1, "in round {round}");
        }
        assert_eq!(daemon.logged(&["ERROR"]), 0);
        for sandbox in daemon.attached("web") {
            daemon.detach("web", &sandbox);
        }
        let endpoint = daemon.attach("web", "c");
        assert_eq!(
            endpoint.addresses[0].to_string(),
            "10.5.0.2/24",
            "no address leaked"
        );
    });
}
