//! What happens when there is no room.

use vswitch_nat::conntrack::{Step, flag};
use vswitch_nat::{Owner, Protocol, Publication, Published, Refusal, State};

use super::host::{ACK, Host, Limits, SYN, SYN_ACK, at, ip, tcp};

fn host(sessions: usize, per_owner: usize) -> Host {
    Host::new(Limits {
        sessions,
        per_owner,
        ..Limits::default()
    })
}

/// A connection from inside that was closed by both sides.
fn close(host: &Host, inside: &str, remote: &str) {
    let external = host.connect(inside, remote);
    let (inside, remote) = (at(inside), at(remote));
    let fin = flag::FIN | flag::ACK;
    host.send(Protocol::Tcp, inside, remote, tcp(fin, 1001, 5001))
        .unwrap();
    host.receive(Protocol::Tcp, external, remote, tcp(fin, 5001, 1002))
        .unwrap();
    assert_eq!(host.state(inside, remote), Some(State::Closing));
}

/// One that was reset.
fn reset(host: &Host, inside: &str, remote: &str) {
    let external = host.connect(inside, remote);
    let remote = at(remote);
    host.receive(Protocol::Tcp, external, remote, tcp(flag::RST, 5001, 0))
        .unwrap();
    assert_eq!(host.state(at(inside), remote), Some(State::Transitory));
}

#[test]
fn an_owner_has_a_limit() {
    let host = host(100, 10);
    for n in 0..10 {
        host.udp("10.0.0.2:5000", &format!("198.51.100.{n}:53"))
            .unwrap();
    }
    let refused = host.udp("10.0.0.2:5000", "198.51.100.99:53");
    assert_eq!(refused, Err(Refusal::SessionLimit));
    // What it has goes on, and others begin.
    assert!(host.udp("10.0.0.2:5000", "198.51.100.5:53").is_ok());
    assert!(host.udp("10.0.0.3:5000", "198.51.100.99:53").is_ok());
    let counts = host.table.counts();
    assert_eq!(
        (counts.sessions, counts.refused, counts.evicted),
        (11, 1, 0)
    );
}

#[test]
fn an_owner_at_its_limit_pays_with_what_is_closed() {
    let host = host(100, 4);
    host.connect("10.0.0.2:1001", "198.51.100.1:80");
    close(&host, "10.0.0.2:1002", "198.51.100.1:80");
    reset(&host, "10.0.0.2:1003", "198.51.100.1:80");
    reset(&host, "10.0.0.2:1004", "198.51.100.1:80");
    close(&host, "10.0.0.3:1002", "198.51.100.1:80");
    let there = |inside: &str| host.state(at(inside), at("198.51.100.1:80")).is_some();
    let next = |n| host.udp("10.0.0.2:5000", &format!("198.51.100.{n}:53"));
    next(1).unwrap();
    assert!(
        !there("10.0.0.2:1003") && there("10.0.0.2:1004"),
        "the oldest reset one"
    );
    next(2).unwrap();
    assert!(!there("10.0.0.2:1004") && there("10.0.0.2:1002"));
    next(3).unwrap();
    assert!(!there("10.0.0.2:1002") && there("10.0.0.2:1001"));
    assert_eq!(next(4), Err(Refusal::SessionLimit));
    assert!(there("10.0.0.3:1002"), "nobody else pays");
    assert_eq!(host.table.counts().evicted, 3);
}

#[test]
fn a_full_table_gives_up_the_least_valuable() {
    let host = host(5, 5);
    host.connect("10.0.0.2:1001", "198.51.100.1:80");
    close(&host, "10.0.0.3:1002", "198.51.100.1:80");
    reset(&host, "10.0.0.4:1003", "198.51.100.1:80");
    host.udp("10.0.0.5:1004", "198.51.100.1:80").unwrap();
    host.udp("10.0.0.5:1005", "198.51.100.1:80").unwrap();
    let there = |inside: &str| host.state(at(inside), at("198.51.100.1:80")).is_some();
    let next = |n| host.udp("10.0.0.9:5000", &format!("198.51.100.{n}:53"));
    next(1).unwrap();
    assert!(!there("10.0.0.4:1003") && there("10.0.0.3:1002"));
    next(2).unwrap();
    assert!(!there("10.0.0.3:1002"));
    // Two unreplied each: taking one would only turn the tables.
    assert_eq!(next(3), Err(Refusal::TableFull));
    assert!(there("10.0.0.5:1004") && there("10.0.0.2:1001"));
    // A third owner has none.
    assert!(host.udp("10.0.0.10:5000", "198.51.100.1:53").is_ok());
    let counts = host.table.counts();
    assert_eq!((counts.sessions, counts.evicted, counts.refused), (5, 3, 1));
    assert_eq!(host.slots.used(), 5);
}

#[test]
fn a_table_full_of_what_works_takes_nothing_new() {
    let host = host(8, 8);
    for n in 0..4 {
        host.connect(&format!("10.0.0.2:100{n}"), "198.51.100.1:80");
        let external = host
            .udp(&format!("10.0.0.3:100{n}"), "198.51.100.1:80")
            .unwrap();
        host.udp_back(external, "198.51.100.1:80").unwrap();
    }
    for n in 0..100 {
        let refused = host.udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53");
        assert_eq!(refused, Err(Refusal::TableFull));
    }
    assert_eq!(host.table.counts().evicted, 0);
    assert_eq!(host.sessions(), 8);
}

#[test]
fn a_flood_pushes_nobody_out() {
    let host = host(1000, 1000);
    for n in 0..100 {
        host.connect(&format!("10.0.0.2:{}", 1000 + n), "198.51.100.1:80");
        host.udp(&format!("10.0.0.3:{}", 1000 + n), "198.51.100.1:53")
            .unwrap();
    }
    // A scan, a flood of SYNs, and one of segments of connections that are not.
    for n in 0..5000u32 {
        let remote = at(&format!("203.0.{}.{}:{}", n / 250, n % 250, 1 + n % 1000));
        let inside = at("10.0.0.66:6666");
        let (protocol, step) = match n % 3 {
            0 => (Protocol::Udp, Step::Plain),
            1 => (Protocol::Tcp, SYN),
            _ => (Protocol::Tcp, ACK),
        };
        let _ = host.send(protocol, inside, remote, step);
    }
    for n in 0..100 {
        let inside = at(&format!("10.0.0.2:{}", 1000 + n));
        assert_eq!(
            host.state(inside, at("198.51.100.1:80")),
            Some(State::Established)
        );
        let inside = at(&format!("10.0.0.3:{}", 1000 + n));
        assert_eq!(
            host.state(inside, at("198.51.100.1:53")),
            Some(State::Unreplied)
        );
    }
    let counts = host.table.counts();
    assert_eq!((counts.sessions, counts.evicted), (1000, 0));
    // Others take from it what they need.
    for n in 0..300 {
        host.connect(&format!("10.0.0.4:{}", 1000 + n), "198.51.100.1:80");
    }
    let counts = host.table.counts();
    assert_eq!((counts.sessions, counts.evicted), (1000, 300));
    assert_eq!(
        host.state(at("10.0.0.3:1000"), at("198.51.100.1:53")),
        Some(State::Unreplied)
    );
}

#[test]
fn a_flood_of_forged_syns_to_a_published_port() {
    let mut host = host(200, 200);
    host.published = Published::new(
        vec![Publication {
            owner: Owner(2),
            protocol: Protocol::Tcp,
            address: ip("0.0.0.0"),
            ports: 80..=80,
            inside: at("10.0.0.2:80"),
        }],
        Vec::new(),
    );
    for n in 0..50 {
        host.connect(&format!("10.0.0.3:{}", 1000 + n), "198.51.100.1:80");
    }
    let mut refused = 0;
    for n in 0..1000u32 {
        let remote = at(&format!("203.0.{}.{}:99", n / 250, n % 250));
        match host.receive(Protocol::Tcp, at("192.0.2.1:80"), remote, SYN) {
            // Its answer does not make it any better.
            Ok(inside) => drop(host.send(Protocol::Tcp, inside, remote, SYN_ACK).unwrap()),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::TableFull);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 850);
    for n in 0..50 {
        host.connect(&format!("10.0.0.4:{}", 1000 + n), "198.51.100.1:80");
    }
}

#[test]
fn a_flood_takes_no_ports_from_others() {
    let host = Host::new(Limits {
        ports: 40_000..=40_999,
        ..Limits::default()
    });
    // Established, and answered: these are never taken away.
    for n in 0..100 {
        let inside = format!("10.0.0.2:{}", 40_000 + n);
        let external = host.udp(&inside, "198.51.100.1:53").unwrap();
        host.udp_back(external, "198.51.100.1:53").unwrap();
    }
    let flood = |n| host.udp(&format!("10.0.0.66:{}", 40_000 + n), "198.51.100.1:53");
    let refused = (0..2000).filter(|&n| flood(n) == Err(Refusal::PortsExhausted));
    // It has what is left of the range, and keeps its own ports beyond it.
    assert_eq!(refused.count(), 100);
    for n in 0..200 {
        let inside = format!("10.0.0.3:{}", 40_000 + n);
        let external = host.udp(&inside, "198.51.100.1:53").unwrap();
        assert_eq!(host.udp_back(external, "198.51.100.1:53"), Ok(at(&inside)));
        let inside = format!("10.0.0.2:{}", 40_000 + n % 100);
        assert_eq!(
            host.state(at(&inside), at("198.51.100.1:53")),
            Some(State::Established)
        );
    }
}

#[test]
fn everything_of_an_owner_goes_at_once() {
    let mut host = host(10_000, 5000);
    host.published = Published::new(
        vec![Publication {
            owner: Owner(2),
            protocol: Protocol::Udp,
            address: ip("0.0.0.0"),
            ports: 53..=53,
            inside: at("10.0.0.2:53"),
        }],
        Vec::new(),
    );
    for n in 0..500 {
        for owner in [2, 3] {
            host.udp(&format!("10.0.0.{owner}:{}", 1000 + n), "198.51.100.1:53")
                .unwrap();
        }
        host.udp_back(at("192.0.2.1:53"), &format!("203.0.113.1:{}", 1000 + n))
            .unwrap();
    }
    host.connect("10.0.0.2:9999", "198.51.100.1:80");
    host.source = None;
    host.udp("10.0.0.2:9998", "198.51.100.1:53").unwrap();
    assert_eq!(host.sessions(), 1502);
    host.table.forget_owner(Owner(2));
    assert_eq!(host.sessions(), 500);
    assert!(
        host.table
            .sessions(host.now)
            .iter()
            .all(|row| row.owner == Owner(3))
    );
    assert_eq!(host.slots.used(), 500);
    assert_eq!(host.ports.ours.lock().unwrap().len(), 500);
    // Its number may be another's at once, with all that it may have.
    for n in 0..5000 {
        host.udp(&format!("10.0.0.2:{}", 1000 + n), "198.51.100.1:53")
            .unwrap();
    }
    assert!(host.udp("10.0.0.2:999", "198.51.100.1:53").is_err());
    host.table.forget_owner(Owner(2));
    host.table.forget_owner(Owner(3));
    host.table.forget_owner(Owner(4));
    host.assert_empty();
}
