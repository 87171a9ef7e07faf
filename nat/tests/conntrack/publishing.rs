//! Published ports.

use vswitch_nat::conntrack::flag;
use vswitch_nat::{Owner, Protocol, Publication, Published, Refusal, State};

use super::host::{ACK, ACK_BACK, Host, Limits, SYN, SYN_ACK, at, ip, tcp};

fn publication(protocol: Protocol, address: &str, port: u16, inside: &str) -> Publication {
    Publication {
        owner: Host::owner(at(inside).ip()),
        protocol,
        address: ip(address),
        ports: port..=port,
        inside: at(inside),
    }
}

fn published(publications: &[(Protocol, &str, u16, &str)]) -> Published {
    let publications = publications
        .iter()
        .map(|&(protocol, address, port, inside)| publication(protocol, address, port, inside));
    Published::new(publications.collect(), Vec::new())
}

#[test]
fn a_connection_from_outside() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[(Protocol::Tcp, "0.0.0.0", 8080, "10.0.0.2:80")]);
    let (inside, external, remote) = (
        at("10.0.0.2:80"),
        at("192.0.2.1:8080"),
        at("203.0.113.9:99"),
    );
    assert_eq!(
        host.receive(Protocol::Tcp, external, remote, SYN),
        Ok(inside)
    );
    assert_eq!(
        host.send(Protocol::Tcp, inside, remote, SYN_ACK),
        Ok(external)
    );
    assert_eq!(host.state(inside, remote), Some(State::Unreplied));
    assert_eq!(
        host.receive(Protocol::Tcp, external, remote, ACK),
        Ok(inside)
    );
    assert_eq!(host.state(inside, remote), Some(State::Established));
    // The port is the publication's: nothing was taken for it.
    assert!(host.ports.ours.lock().unwrap().is_empty());
    // Nothing is published beside it.
    let beside = host.receive(Protocol::Tcp, at("192.0.2.1:8081"), remote, SYN);
    assert_eq!(beside, Err(Refusal::NotOurs));
    let udp = host.udp_back(external, "203.0.113.9:99");
    assert_eq!(udp, Err(Refusal::NotOurs));
    // After a restart without ledger it is picked up; a reset is not.
    let late = at("203.0.113.9:100");
    assert_eq!(host.receive(Protocol::Tcp, external, late, ACK), Ok(inside));
    let reset = host.receive(
        Protocol::Tcp,
        external,
        at("203.0.113.9:101"),
        tcp(flag::RST, 1, 0),
    );
    assert_eq!(reset, Err(Refusal::Filtered));
    // All of it is one mapping.
    assert_eq!(host.table.counts().mappings, 1);
}

#[test]
fn what_a_container_sends_from_a_published_port_comes_from_it() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[
        (Protocol::Udp, "0.0.0.0", 5353, "10.0.0.2:53"),
        (Protocol::Udp, "192.0.2.1", 5354, "10.0.0.2:53"),
    ]);
    assert_eq!(
        host.udp("10.0.0.2:53", "198.51.100.1:9"),
        Ok(at("192.0.2.1:5354"))
    );
    host.source = Some(ip("192.0.2.7"));
    assert_eq!(
        host.udp("10.0.0.2:53", "198.51.100.2:9"),
        Ok(at("192.0.2.7:5353"))
    );
    // And whoever it is may come in there, as it is published.
    assert_eq!(
        host.udp_back(at("192.0.2.7:5353"), "203.0.113.1:1"),
        Ok(at("10.0.0.2:53"))
    );
}

#[test]
fn an_answer_leaves_by_the_endpoint_the_question_came_to() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[(Protocol::Udp, "0.0.0.0", 5353, "10.0.0.2:53")]);
    for (address, remote) in [
        ("192.0.2.1", "203.0.113.1:1000"),
        ("192.0.2.7", "203.0.113.1:1001"),
    ] {
        let external = std::net::SocketAddr::new(ip(address), 5353);
        assert_eq!(host.udp_back(external, remote), Ok(at("10.0.0.2:53")));
        // Wherever the route to it goes.
        assert_eq!(host.udp("10.0.0.2:53", remote), Ok(external));
    }
}

#[test]
fn one_remote_endpoint_by_two_addresses() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[
        (Protocol::Udp, "0.0.0.0", 5353, "10.0.0.2:53"),
        (Protocol::Tcp, "0.0.0.0", 80, "10.0.0.2:80"),
    ]);
    // Datagrams: the answer goes back to where the last question came by.
    for address in ["192.0.2.1:5353", "192.0.2.7:5353", "192.0.2.1:5353"] {
        assert_eq!(
            host.udp_back(at(address), "203.0.113.1:1000"),
            Ok(at("10.0.0.2:53"))
        );
        assert_eq!(host.udp("10.0.0.2:53", "203.0.113.1:1000"), Ok(at(address)));
    }
    assert_eq!(host.sessions(), 1);
    // A connection is not disturbed by another that nobody could tell from it.
    let (inside, remote) = (at("10.0.0.2:80"), at("203.0.113.1:1000"));
    let first = at("192.0.2.1:80");
    host.receive(Protocol::Tcp, first, remote, SYN).unwrap();
    host.send(Protocol::Tcp, inside, remote, SYN_ACK).unwrap();
    host.receive(Protocol::Tcp, first, remote, ACK).unwrap();
    let second = host.receive(Protocol::Tcp, at("192.0.2.7:80"), remote, SYN);
    assert_eq!(second, Err(Refusal::Filtered));
    assert_eq!(
        host.send(Protocol::Tcp, inside, remote, ACK_BACK),
        Ok(first)
    );
}

#[test]
fn a_published_port_is_never_drawn() {
    let mut host = Host::new(Limits {
        ports: 40_000..=40_099,
        ..Limits::default()
    });
    host.published = Published::new(
        vec![
            Publication {
                owner: Owner(9),
                protocol: Protocol::Udp,
                address: ip("0.0.0.0"),
                ports: 40_000..=40_089,
                inside: at("10.0.0.9:1000"),
            },
            publication(Protocol::Udp, "0.0.0.0", 5000, "10.0.0.8:1"),
            publication(Protocol::Udp, "192.0.2.1", 40_095, "10.0.0.8:2"),
        ],
        Vec::new(),
    );
    let mut ports: Vec<u16> = (0..9)
        .map(|n| {
            host.udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53")
                .unwrap()
                .port()
        })
        .collect();
    ports.sort_unstable();
    let free = (40_090..=40_099).filter(|port| *port != 40_095);
    assert_eq!(ports, free.collect::<Vec<u16>>());
    let refused = host.udp("10.0.0.20:5000", "198.51.100.1:53");
    assert_eq!(refused, Err(Refusal::PortsExhausted));
}

#[test]
fn a_publication_goes_before_an_older_mapping() {
    let mut host = Host::new(Limits::default());
    // Its own port, and that of somebody else.
    let own = host.udp("10.0.0.2:53", "198.51.100.1:9").unwrap();
    let others = host.udp("10.0.0.3:5353", "198.51.100.1:9").unwrap();
    host.published = published(&[(Protocol::Udp, "0.0.0.0", 5353, "10.0.0.2:53")]);
    assert_eq!(others, at("192.0.2.1:5353"));
    assert_eq!(
        host.udp_back(others, "203.0.113.1:1"),
        Ok(at("10.0.0.2:53"))
    );
    assert_eq!(host.udp("10.0.0.2:53", "203.0.113.1:1"), Ok(others));
    // What goes on, goes on.
    assert_eq!(
        host.udp_back(others, "198.51.100.1:9"),
        Ok(at("10.0.0.3:5353"))
    );
    assert_eq!(host.udp("10.0.0.2:53", "198.51.100.1:9"), Ok(own));

    assert!(host.table.forget_mapping(Protocol::Udp, others));
    assert_eq!(
        host.udp_back(others, "198.51.100.1:9"),
        Ok(at("10.0.0.2:53"))
    );
    assert_ne!(host.udp("10.0.0.3:5353", "198.51.100.1:9"), Ok(others));
    host.table.forget_owner(Owner(2));
    host.table.forget_owner(Owner(3));
    host.assert_empty();
}

#[test]
fn after_unpublishing() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[(Protocol::Udp, "0.0.0.0", 5353, "10.0.0.2:53")]);
    let external = at("192.0.2.1:5353");
    host.udp_back(external, "203.0.113.1:1").unwrap();
    host.published = Published::default();
    // The conversation goes on, others do not begin; and what the container begins is translated
    // as all else.
    assert_eq!(host.udp("10.0.0.2:53", "203.0.113.1:1"), Ok(external));
    assert_eq!(
        host.udp_back(external, "203.0.113.1:1"),
        Ok(at("10.0.0.2:53"))
    );
    assert_eq!(
        host.udp_back(external, "203.0.113.1:2"),
        Err(Refusal::Filtered)
    );
    assert_eq!(
        host.udp("10.0.0.2:53", "203.0.113.2:1"),
        Ok(at("192.0.2.1:53"))
    );
    // Unless it is ended.
    assert!(host.table.forget_mapping(Protocol::Udp, external));
    assert_eq!(
        host.udp_back(external, "203.0.113.1:1"),
        Err(Refusal::NotOurs)
    );
    host.table.forget_owner(Owner(2));
    host.assert_empty();
}

#[test]
fn a_published_port_of_the_other_family() {
    let mut host = Host::new(Limits::default());
    host.published = published(&[
        (Protocol::Tcp, "::", 80, "[fd00::2]:8080"),
        (Protocol::Sctp, "2001:db8::1", 81, "[fd00::2]:8081"),
    ]);
    let remote = at("[2001:db8:9::1]:99");
    let tcp = host.receive(Protocol::Tcp, at("[2001:db8::1]:80"), remote, SYN);
    assert_eq!(tcp, Ok(at("[fd00::2]:8080")));
    let init = vswitch_nat::conntrack::Step::Sctp { chunk: 1 };
    let sctp = host.receive(Protocol::Sctp, at("[2001:db8::1]:81"), remote, init);
    assert_eq!(sctp, Ok(at("[fd00::2]:8081")));
    let v4 = host.receive(Protocol::Tcp, at("192.0.2.1:80"), at("203.0.113.1:1"), SYN);
    assert_eq!(v4, Err(Refusal::NotOurs));
}
