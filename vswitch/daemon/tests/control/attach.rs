//! Attaching and detaching.

use std::time::Instant;

use vswitch_api::{Attach, NetworkCreate};
use vswitch_netio::netns::NamedNetns;

use crate::daemon::{Daemon, bridge, code, to};
use crate::lab;

#[test]
fn two_sandboxes_on_one_network() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a", "b"]);
        let (a, b) = (daemon.attach("web", "a"), daemon.attach("web", "b"));
        assert_eq!(a.addresses[0].to_string(), "10.5.0.2/24");
        assert_eq!(b.addresses[0].to_string(), "10.5.0.3/24");
        assert_eq!(a.mac.as_deref(), Some("02:42:0a:05:00:02"));
        assert_eq!(a.ifname.as_deref(), Some("eth0"));

        let link = lab::link("a", "eth0").unwrap();
        assert!(link.up && link.carrier);
        assert_eq!(link.mac.unwrap().to_string(), "02:42:0a:05:00:02");
        assert_eq!(link.mtu, 1500);
        assert_eq!(lab::addresses("a", "eth0"), ["10.5.0.2/24"]);
        let gateway = ("10.5.0.1".parse().unwrap(), "eth0".to_owned());
        assert_eq!(lab::default_route("a", 4), Some(gateway));
        let lo = lab::link("a", "lo").unwrap();
        assert!(lo.up);
        // IPv6 is off where there is no IPv6 address.
        assert_eq!(lab::default_route("a", 6), None);

        let network = daemon.block_on(daemon.client().network("web")).unwrap();
        assert_eq!(network.containers["a"].endpoint_id, a.id);
        assert_eq!(network.containers["b"].ipv4_address, "10.5.0.3/24");

        assert_eq!(code(daemon.try_attach("web", to("a"))), "already_attached");
        daemon.detach("web", "a");
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(daemon.attached("web"), ["b"]);
        let again = daemon.block_on(daemon.client().detach("web", "a"));
        assert_eq!(code(again), "not_attached");
    });
}

#[test]
fn an_endpoint_can_be_chosen_in_all_parts() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        let request = NetworkCreate {
            ipv6: true,
            subnets: vec![
                "10.5.0.0/24".parse().unwrap(),
                "fd00:5::/64".parse().unwrap(),
            ],
            options: [(
                "com.docker.network.driver.mtu".to_owned(),
                "1400".to_owned(),
            )]
            .into(),
            ..NetworkCreate::new("web")
        };
        daemon.network(&request);
        daemon.sandboxes(&["a"]);
        let endpoint = daemon
            .try_attach(
                "web",
                Attach {
                    ip: Some("10.5.0.77".parse().unwrap()),
                    ip6: Some("fd00:5::77".parse().unwrap()),
                    mac: Some("02:00:00:00:00:77".to_owned()),
                    ifname: Some("net7".to_owned()),
                    aliases: vec!["seven".to_owned()],
                    ..to("a")
                },
            )
            .unwrap();
        assert_eq!(endpoint.aliases, ["seven"]);
        let link = lab::link("a", "net7").unwrap();
        assert_eq!(link.mac.unwrap().to_string(), "02:00:00:00:00:77");
        assert_eq!(link.mtu, 1400);
        assert_eq!(
            lab::addresses("a", "net7"),
            ["10.5.0.77/24", "fd00:5::77/64"]
        );
        assert!(
            lab::netlink("a")
                .addresses()
                .unwrap()
                .iter()
                .any(|address| {
                    address.network == "fd00:5::77/64".parse().unwrap() && !address.tentative
                }),
            "usable at once"
        );
        let gateway = ("fd00:5::1".parse().unwrap(), "net7".to_owned());
        assert_eq!(lab::default_route("a", 6), Some(gateway));
    });
}

#[test]
fn the_default_route_follows_the_election() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("mid", "10.1.0.0/24"));
        daemon.network(&bridge("ant", "10.2.0.0/24"));
        daemon.network(&bridge("pig", "10.3.0.0/24"));
        let inner = NetworkCreate {
            internal: true,
            ..bridge("inner", "10.4.0.0/24")
        };
        daemon.network(&inner);
        daemon.sandboxes(&["a"]);
        let via = || lab::default_route("a", 4).map(|(gateway, _)| gateway.to_string());

        daemon.attach("inner", "a");
        assert_eq!(via(), None);
        daemon.attach("mid", "a");
        assert_eq!(via().as_deref(), Some("10.1.0.1"));
        daemon.attach("ant", "a");
        assert_eq!(via().as_deref(), Some("10.2.0.1"), "first by name");
        let request = Attach {
            gateway_priority: 1,
            ..to("a")
        };
        daemon.try_attach("pig", request).unwrap();
        assert_eq!(via().as_deref(), Some("10.3.0.1"), "highest priority");
        daemon.detach("pig", "a");
        assert_eq!(via().as_deref(), Some("10.2.0.1"));
        daemon.detach("mid", "a");
        assert_eq!(via().as_deref(), Some("10.2.0.1"));
        daemon.detach("ant", "a");
        assert_eq!(via(), None);
        assert_eq!(lab::links("a").len(), 2);
    });
}

#[test]
fn a_default_route_of_somebody_else_stays() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a"]);
        let netns = lab::netns("a");
        netns.run(|| lab::leave_tap("wan0", "somebody's")).unwrap();
        assert!(lab::succeeds_in("a", "ip address add 10.9.0.2/24 dev wan0"));
        assert!(lab::succeeds_in("a", "ip link set wan0 up"));
        assert!(lab::succeeds_in("a", "ip route add default via 10.9.0.1"));
        daemon.attach("web", "a");
        let (gateway, _) = lab::default_route("a", 4).unwrap();
        assert_eq!(gateway.to_string(), "10.9.0.1");
        assert_eq!(daemon.logged(&["WARN", "default route of its own"]), 1);
    });
}

#[test]
fn a_namespace_that_is_not_ours_is_only_borrowed() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        NamedNetns::create("box".parse().unwrap()).unwrap();
        daemon.attach("web", "/run/netns/box");
        assert!(lab::link("box", "lo").unwrap().up);
        let sandboxes = daemon.block_on(daemon.client().sandboxes()).unwrap();
        assert_eq!(sandboxes[0].name, "box");
        assert!(!sandboxes[0].owned);
        assert_eq!(sandboxes[0].netns, Some(lab::netns("box").id().ino));
        let refused = daemon.block_on(daemon.client().remove_sandbox("box"));
        assert_eq!(code(refused), "sandbox_not_owned");
        daemon.detach("web", "box");
        assert!(daemon.known_sandboxes().is_empty());
        assert_eq!(lab::links("box").len(), 1);
    });
}

#[test]
fn a_namespace_with_interfaces_of_its_own_is_no_trouble() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a"]);
        lab::netns("a")
            .run(|| lab::leave_tap("eth0", "somebody's"))
            .unwrap();
        assert_eq!(daemon.attach("web", "a").ifname.as_deref(), Some("eth1"));
        daemon.detach("web", "a");
        let chosen = Attach {
            ifname: Some("eth0".to_owned()),
            ..to("a")
        };
        assert_eq!(code(daemon.try_attach("web", chosen)), "interface_in_use");
        assert_eq!(lab::links("a").len(), 2);
    });
}

#[test]
fn what_is_not_there_is_told() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        std::fs::write("/run/empty", "").unwrap();
        let table = [
            ("ghost", "sandbox_not_found"),
            ("/run/ghost", "sandbox_not_found"),
            ("/run/empty", "sandbox_not_found"),
            ("pid:4194305", "sandbox_not_found"),
            ("../x", "sandbox_invalid"),
            ("/proc/self/ns/net", "host_sandbox"),
            ("host", "host_sandbox"),
        ];
        for (sandbox, expected) in table {
            assert_eq!(
                code(daemon.try_attach("web", to(sandbox))),
                expected,
                "{sandbox}"
            );
        }
        assert_eq!(
            code(daemon.try_attach("ghost", to("a"))),
            "network_not_found"
        );
        let mac = Attach {
            mac: Some("02:00".to_owned()),
            ..to("host")
        };
        assert_eq!(code(daemon.try_attach("host", mac)), "bad_request");
        assert!(daemon.known_sandboxes().is_empty());
    });
}

#[test]
fn host_and_none_have_no_interface() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.sandboxes(&["a"]);
        let endpoint = daemon.attach("host", "host");
        assert_eq!((endpoint.ifname, endpoint.mac), (None, None));
        assert_eq!(code(daemon.try_attach("host", to("a"))), "host_sandbox");
        daemon.attach("none", "a");
        assert_eq!(lab::links("a").len(), 1);
        assert!(lab::host_taps().is_empty());
        daemon.detach("none", "a");
        daemon.detach("host", "host");
        assert_eq!(daemon.known_sandboxes(), ["a"]);
    });
}

#[test]
fn sandboxes_are_made_and_removed() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a"]);
        assert!(lab::link("a", "lo").unwrap().up);
        daemon.attach("web", "a");
        let refused = daemon.block_on(daemon.client().remove_sandbox("a"));
        assert_eq!(code(refused), "sandbox_in_use");
        daemon.detach("web", "a");
        daemon
            .block_on(daemon.client().remove_sandbox("a"))
            .unwrap();
        assert!(NamedNetns::list().unwrap().is_empty());
        assert!(daemon.known_sandboxes().is_empty());

        NamedNetns::create("taken".parse().unwrap()).unwrap();
        let name = "taken".to_owned();
        let request = vswitch_api::SandboxCreate { name };
        let refused = daemon.block_on(daemon.client().create_sandbox(&request));
        assert_eq!(code(refused), "sandbox_exists");
        assert_eq!(NamedNetns::list().unwrap().len(), 1);
    });
}

#[test]
fn a_process_is_a_sandbox_too() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        let mut process = std::process::Command::new("unshare")
            .args(["--net", "sleep", "1000"])
            .spawn()
            .unwrap();
        let key = format!("pid:{}", process.id());
        let own = vswitch_netio::netns::Netns::of_current_thread().unwrap();
        lab::eventually("the process is in its namespace", || {
            vswitch_netio::netns::Netns::of_pid(process.id())
                .is_ok_and(|netns| netns.id() != own.id())
        });
        daemon.attach("web", &key);
        assert_eq!(daemon.attached("web"), [key]);
        process.kill().unwrap();
        process.wait().unwrap();
        lab::eventually("the endpoint went with its process", || {
            daemon.attached("web").is_empty()
        });
        assert!(daemon.known_sandboxes().is_empty());
        assert_eq!(daemon.logged(&["WARN", "namespace is gone"]), 1);
    });
}

#[test]
fn many_come_and_go_and_nothing_stays() {
    lab::isolated(|| {
        const COUNT: u32 = 60;
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        let names: Vec<String> = (0..COUNT).map(|n| format!("s{n}")).collect();
        daemon.sandboxes(&names.iter().map(String::as_str).collect::<Vec<_>>());
        // The first request brings descriptors of its own.
        daemon.attach("web", "s0");
        daemon.detach("web", "s0");
        let before = daemon.descriptors();
        let start = Instant::now();
        for name in &names {
            daemon.attach("web", name);
        }
        let attached = start.elapsed();
        assert_eq!(daemon.attached("web").len(), names.len());
        let start = Instant::now();
        for name in &names {
            daemon.detach("web", name);
        }
        println!(
            "attach {:?}, detach {:?} each",
            attached / COUNT,
            start.elapsed() / COUNT
        );
        lab::eventually_eq(&before, || daemon.descriptors());
        assert_eq!(lab::host_taps().len(), 1);
        for name in &names {
            assert_eq!(lab::links(name).len(), 1);
        }
        // A namespace of ours is not kept alive by the daemon.
        let endpoint = daemon.attach("web", "s5");
        assert_eq!(
            endpoint.addresses[0].to_string(),
            "10.5.0.2/24",
            "all free again"
        );
    });
}
