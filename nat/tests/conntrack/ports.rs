//! Mappings and their ports (RFC 4787 §4, RFC 5382 §4, RFC 6056, RFC 7857 §9).

use std::collections::HashSet;
use std::net::SocketAddr;

use vswitch_nat::conntrack::Step;
use vswitch_nat::{Protocol, Refusal};

use super::host::{Host, Limits, SYN, at, ip};

#[test]
fn one_mapping_whomever_it_talks_to() {
    let host = Host::new(Limits::default());
    for protocol in [Protocol::Udp, Protocol::Sctp] {
        let step = match protocol {
            Protocol::Sctp => Step::Sctp { chunk: 1 },
            _ => Step::Plain,
        };
        let to = |remote| host.send(protocol, at("10.0.0.2:5000"), at(remote), step);
        let first = to("198.51.100.1:53").unwrap();
        assert_eq!(to("198.51.100.1:54"), Ok(first));
        assert_eq!(to("198.51.100.2:53"), Ok(first));
    }
    let to = |remote| host.send(Protocol::Tcp, at("10.0.0.2:5000"), at(remote), SYN);
    assert_eq!(to("198.51.100.1:80"), to("198.51.100.2:80"));
    assert_eq!(host.table.counts().mappings, 3);
    assert_eq!(host.sessions(), 8);
}

#[test]
fn a_port_is_kept_if_it_is_free() {
    let host = Host::new(Limits::default());
    assert_eq!(
        host.udp("10.0.0.2:5000", "198.51.100.1:53"),
        Ok(at("192.0.2.1:5000"))
    );
    // REQ-3a: a low one stays a low one.
    assert_eq!(
        host.udp("10.0.0.2:123", "198.51.100.1:123"),
        Ok(at("192.0.2.1:123"))
    );
    // REQ-3: never shared; and of the same parity (REQ-4).
    for (inside, parity) in [
        ("10.0.0.3:5000", 0),
        ("10.0.0.4:5000", 0),
        ("10.0.0.3:123", 1),
    ] {
        let external = host.udp(inside, "198.51.100.1:53").unwrap();
        assert!((40_000..=49_999).contains(&external.port()));
        assert_eq!(external.port() % 2, parity);
        assert_eq!(host.udp_back(external, "198.51.100.1:53"), Ok(at(inside)));
    }
    // Another protocol has ports of its own.
    let tcp = host.send(
        Protocol::Tcp,
        at("10.0.0.3:5000"),
        at("198.51.100.1:80"),
        SYN,
    );
    assert_eq!(tcp, Ok(at("192.0.2.1:5000")));
}

#[test]
fn a_port_of_the_host_is_not_taken() {
    let host = Host::new(Limits {
        ports: 40_000..=40_009,
        ..Limits::default()
    });
    host.ports
        .hosts
        .lock()
        .unwrap()
        .extend([5000, 40_000, 40_002, 40_004, 40_006]);
    let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    assert_eq!(external.port(), 40_008, "the last even one");
    let external = host.udp("10.0.0.3:5000", "198.51.100.1:53").unwrap();
    assert_eq!(external.port() % 2, 1, "parity is a wish");
    assert_eq!(host.ports.ours.lock().unwrap().len(), 2);
}

#[test]
fn every_port_is_used_before_they_are_exhausted() {
    let host = Host::new(Limits {
        ports: 40_000..=40_099,
        ..Limits::default()
    });
    host.ports.hosts.lock().unwrap().extend([5000, 40_050]);
    let mut ports = HashSet::new();
    for n in 0..99 {
        let external = host
            .udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53")
            .unwrap();
        assert!(ports.insert(external.port()));
    }
    let refused = host.udp("10.0.0.100:5000", "198.51.100.1:53");
    assert_eq!(refused, Err(Refusal::PortsExhausted));
    assert_eq!(host.table.counts().refused, 1);
    // Nothing is left half-made, and others are not concerned.
    assert_eq!((host.sessions(), host.slots.used()), (99, 99));
    assert!(host.udp("10.0.0.1:5000", "198.51.100.2:53").is_ok());
    assert!(host.udp("10.0.0.100:5001", "198.51.100.1:53").is_ok());
    host.table.forget_owner(Host::owner(ip("10.0.0.50")));
    assert!(host.udp("10.0.0.100:5000", "198.51.100.1:53").is_ok());
}

#[test]
fn drawn_ports_are_not_to_be_guessed() {
    let host = Host::new(Limits::default());
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    let mut before = 0;
    let mut neighbours = 0;
    for n in 3..200 {
        let external = host
            .udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53")
            .unwrap();
        neighbours += u32::from(external.port().abs_diff(before) <= 2);
        before = external.port();
    }
    assert!(neighbours < 5, "{neighbours} of 197 next to the one before");
}

#[test]
fn echo_identifiers() {
    let host = Host::new(Limits::default());
    let ping =
        |inside: &str, remote: &str| host.send(Protocol::Echo, at(inside), at(remote), Step::Query);
    let first = ping("10.0.0.2:77", "198.51.100.1:0").unwrap();
    assert_eq!(first, at("192.0.2.1:77"));
    // RFC 5508 REQ-1a: the same for another destination.
    assert_eq!(ping("10.0.0.2:77", "198.51.100.2:0"), Ok(first));
    let second = ping("10.0.0.3:77", "198.51.100.1:0").unwrap();
    assert_ne!(first, second);
    assert_eq!(ping("10.0.0.4:0", "198.51.100.1:0"), Ok(at("192.0.2.1:0")));

    let reply =
        |external, remote: &str, step| host.receive(Protocol::Echo, external, at(remote), step);
    assert_eq!(
        reply(first, "198.51.100.1:0", Step::Reply),
        Ok(at("10.0.0.2:77"))
    );
    assert_eq!(
        reply(second, "198.51.100.1:0", Step::Reply),
        Ok(at("10.0.0.3:77"))
    );
    // Whoever was not asked has nothing to answer, and the host answers for itself.
    assert_eq!(
        reply(first, "198.51.100.9:0", Step::Reply),
        Err(Refusal::Filtered)
    );
    assert_eq!(
        reply(first, "198.51.100.1:0", Step::Query),
        Err(Refusal::NotOurs)
    );
    // No port of the host is concerned.
    assert!(host.ports.ours.lock().unwrap().is_empty());
    // An answer that nobody asked for begins nothing.
    let unasked = host.send(
        Protocol::Echo,
        at("10.0.0.5:1"),
        at("198.51.100.1:0"),
        Step::Reply,
    );
    assert_eq!(unasked, Err(Refusal::Filtered));
}

#[test]
fn both_families() {
    let mut host = Host::new(Limits::default());
    host.source = Some(ip("2001:db8::1"));
    let external = host.udp("[fd00::2]:5000", "[2001:db8:1::1]:53").unwrap();
    assert_eq!(external, at("[2001:db8::1]:5000"));
    let other = host.udp("[fd00::3]:5000", "[2001:db8:1::1]:53").unwrap();
    assert_ne!(external, other);
    assert_eq!(
        host.udp_back(other, "[2001:db8:1::1]:53"),
        Ok(at("[fd00::3]:5000"))
    );
}

#[test]
fn an_address_each_has_ports_of_its_own() {
    let mut host = Host::new(Limits::default());
    let first = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    host.source = Some(ip("192.0.2.99"));
    // A conversation keeps the address it began with; another begins at the new one.
    assert_eq!(host.udp("10.0.0.2:5000", "198.51.100.1:53"), Ok(first));
    assert_eq!(
        host.udp("10.0.0.2:5000", "198.51.100.2:53"),
        Ok(at("192.0.2.99:5000"))
    );
    assert_eq!(
        host.udp("10.0.0.3:6000", "198.51.100.2:53"),
        Ok(at("192.0.2.99:6000"))
    );
    assert_eq!(host.table.counts().mappings, 3);

    // The first address goes away, and what was translated to it.
    host.table.forget_external(ip("192.0.2.1"));
    assert_eq!(host.table.counts().mappings, 2);
    assert!(!host.table.maps(Protocol::Udp, first));
    assert_eq!(
        host.udp_back(first, "198.51.100.1:53"),
        Err(Refusal::NotOurs)
    );
    assert_eq!(
        host.udp("10.0.0.2:5000", "198.51.100.1:53"),
        Ok(at("192.0.2.99:5000"))
    );
    // And comes back.
    host.source = Some(ip("192.0.2.1"));
    assert_eq!(
        host.udp("10.0.0.4:5000", "198.51.100.1:53"),
        Ok(at("192.0.2.1:5000"))
    );
}

#[test]
fn without_translation() {
    let mut host = Host::new(Limits::default());
    host.source = None;
    assert_eq!(
        host.udp("10.0.0.2:5000", "198.51.100.1:53"),
        Ok(at("10.0.0.2:5000"))
    );
    let other = Protocol::Other(47);
    let gre = |host: &Host| host.send(other, at("10.0.0.2:0"), at("198.51.100.1:0"), Step::Plain);
    assert_eq!(gre(&host), Ok(at("10.0.0.2:0")));
    assert!(host.ports.ours.lock().unwrap().is_empty());
    host.table.forget_owner(Host::owner(ip("10.0.0.2")));
    host.source = Some(ip("192.0.2.1"));
    assert_eq!(gre(&host), Err(Refusal::Untranslatable));
    host.assert_empty();
}

#[test]
fn the_host_takes_a_port_for_itself() {
    let host = Host::new(Limits::default());
    let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    host.udp("10.0.0.2:5000", "198.51.100.2:53").unwrap();
    assert!(host.table.forget_mapping(Protocol::Udp, external));
    host.assert_empty();
    assert!(!host.table.forget_mapping(Protocol::Udp, external));
    host.ports.hosts.lock().unwrap().insert(external.port());
    let next = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    assert_ne!(next, external);
}

#[test]
fn one_container_does_not_speak_for_another() {
    let host = Host::new(Limits::default());
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    let tuple = vswitch_nat::Tuple {
        protocol: Protocol::Udp,
        inside: at("10.0.0.2:5000"),
        remote: at("198.51.100.1:53"),
    };
    for remote in ["198.51.100.1:53", "198.51.100.2:53"] {
        let tuple = vswitch_nat::Tuple {
            remote: at(remote),
            ..tuple
        };
        let way = vswitch_nat::Outbound {
            owner: vswitch_nat::Owner(3),
            source: host.source,
            filtering: host.filtering,
            published: &host.published,
            ingress: 0,
        };
        let refused = host.table.outbound(&tuple, Step::Plain, &way, host.now);
        assert_eq!(refused, Err(Refusal::Filtered));
    }
}

#[test]
fn many_mappings_find_back() {
    let host = Host::new(Limits::default());
    let remote = at("198.51.100.1:53");
    let mut externals: Vec<(SocketAddr, SocketAddr)> = Vec::new();
    for n in 0..2000u16 {
        let inside = SocketAddr::new(ip(&format!("10.0.0.{}", n % 50)), 5000 + n / 100);
        let external = host
            .send(Protocol::Udp, inside, remote, Step::Plain)
            .unwrap();
        externals.push((inside, external));
    }
    let distinct: HashSet<_> = externals.iter().map(|(inside, _)| inside).collect();
    assert_eq!(host.table.counts().mappings, distinct.len() as u64);
    for (inside, external) in externals {
        assert_eq!(
            host.receive(Protocol::Udp, external, remote, Step::Plain),
            Ok(inside)
        );
    }
}
