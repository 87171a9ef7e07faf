//! Namespaces and interfaces that go while the daemon runs, and what the daemon tells meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use vswitch_netio::netns::NamedNetns;

use crate::daemon::{Daemon, bridge, code, to};
use crate::lab;

#[test]
fn a_namespace_that_disappears_takes_its_ports_along() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.network(&bridge("db", "10.6.0.0/24"));
        daemon.sandboxes(&["a", "b"]);
        let before = daemon.descriptors();
        for network in ["web", "db"] {
            daemon.attach(network, "a");
        }
        daemon.attach("web", "b");
        NamedNetns::delete(&"a".parse().unwrap()).unwrap();
        lab::eventually("the endpoints are gone", || {
            daemon.attached("db").is_empty() && daemon.attached("web") == ["b"]
        });
        lab::eventually("the sandbox is gone", || daemon.known_sandboxes() == ["b"]);
        assert_eq!(
            daemon.logged(&["WARN", "namespace is gone: endpoint removed"]),
            2
        );
        daemon.detach("web", "b");
        lab::eventually_eq(&before, || daemon.descriptors());
        assert!(daemon.is_running());
        daemon.sandboxes(&["a"]);
        let endpoint = daemon.attach("web", "a");
        assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.2/24");
    });
}

#[test]
fn the_next_namespace_is_not_taken_for_the_one_before() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        // The kernel gives the same inode again and again.
        for name in ["a", "b", "c", "d"] {
            NamedNetns::create(name.parse().unwrap()).unwrap();
            daemon.attach("web", name);
            NamedNetns::delete(&name.parse().unwrap()).unwrap();
        }
        daemon.sandboxes(&["e"]);
        NamedNetns::delete(&"e".parse().unwrap()).unwrap();
        daemon.sandboxes(&["f"]);
        daemon.attach("web", "f");
        lab::eventually("the others are gone", || daemon.known_sandboxes() == ["f"]);
        assert_eq!(daemon.attached("web"), ["f"]);
    });
}

#[test]
fn a_namespace_that_takes_the_name_of_another_is_attached_at_once() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        let name = || "a".parse().unwrap();
        for _ in 0..3 {
            NamedNetns::create(name()).unwrap();
            let endpoint = daemon.attach("web", "a");
            // What the namespace before had is free again, as only the switch still kept it.
            assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.2/24");
            assert_eq!(lab::addresses("a", "eth0"), ["10.5.0.2/24"]);
            NamedNetns::delete(&name()).unwrap();
        }
    });
}

#[test]
fn a_namespace_with_processes_keeps_its_name_from_another() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.network(&bridge("db", "10.6.0.0/24"));
        let name = || "a".parse().unwrap();
        NamedNetns::create(name()).unwrap();
        daemon.attach("web", "a");
        let mut process = lab::process_in("a");
        NamedNetns::delete(&name()).unwrap();
        NamedNetns::create(name()).unwrap();
        let while_it_runs = daemon.try_attach("db", to("a"));
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(code(while_it_runs), "sandbox_replaced");
        daemon.attach("db", "a");
        assert!(daemon.attached("web").is_empty());
    });
}

#[test]
fn an_interface_that_somebody_deletes_is_no_endpoint_any_more() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("ant", "10.5.0.0/24"));
        daemon.network(&bridge("bee", "10.6.0.0/24"));
        daemon.sandboxes(&["a"]);
        daemon.attach("ant", "a");
        daemon.attach("bee", "a");
        let index = lab::link("a", "eth0").unwrap().index;
        lab::netlink("a").delete_link(index).unwrap();
        lab::eventually("the endpoint is gone", || daemon.attached("ant").is_empty());
        let gateway = ("10.6.0.1".parse().unwrap(), "eth1".to_owned());
        lab::eventually("the other network is the way out", || {
            lab::default_route("a", 4).as_ref() == Some(&gateway)
        });
        assert_eq!(
            daemon.logged(&["WARN", "somebody deleted its interface"]),
            1
        );
        assert_eq!(daemon.known_sandboxes(), ["a"]);
        daemon.attach("ant", "a");
    });
}

#[test]
fn tables_name_ports_by_where_they_lead() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a", "b"]);
        daemon.attach("web", "a");
        daemon.attach("web", "b");
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.5.0.3"));
        let client = daemon.client();
        let stats = daemon.block_on(client.stats(Some("a/eth0"))).unwrap();
        assert_eq!(stats.len(), 1);
        assert!(stats[0].rx.frames > 0 && stats[0].tx.frames > 0);
        assert_eq!(daemon.block_on(client.stats(Some("web"))).unwrap().len(), 3);
        assert_eq!(
            code(daemon.block_on(client.stats(Some("ghost")))),
            "not_found"
        );
        let fdb = daemon.block_on(client.fdb(Some("web"))).unwrap();
        let a = fdb
            .iter()
            .find(|row| row.mac == "02:42:0a:05:00:02")
            .unwrap();
        assert_eq!(a.port.to_string(), "a/eth0");
        assert_eq!(
            code(daemon.block_on(client.fdb(Some("ghost")))),
            "network_not_found"
        );
        let neighbours = daemon.block_on(client.neighbours(None)).unwrap();
        assert!(
            neighbours
                .iter()
                .any(|row| row.address.to_string() == "10.5.0.3")
        );
        let routes = daemon.block_on(client.routes()).unwrap();
        let of = |sandbox: Option<&str>| {
            let rows = routes
                .iter()
                .filter(|row| row.sandbox.as_deref() == sandbox);
            rows.map(|row| row.destination.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(None), ["10.5.0.0/24"]);
        assert_eq!(of(Some("a")), ["0.0.0.0/0", "10.5.0.0/24"]);
    });
}

#[test]
fn metrics_are_served_over_tcp() {
    lab::isolated(|| {
        let mut daemon = Daemon::stopped();
        daemon.start_with(&["--metrics", "127.0.0.1:9113"]);
        daemon.network(&bridge("web", "10.5.0.0/24"));
        let mut stream = TcpStream::connect("127.0.0.1:9113").unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("vswitch_ports 1"), "{answer}");
        assert!(answer.contains("network=\"web\""), "{answer}");
    });
}
