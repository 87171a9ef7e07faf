//! One address for the host and its containers: neither disturbs the other.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{
    Conversation, Echo, IperfRun, IperfServer, Protocol, ask, ask_from, eventually, reaches,
};

use crate::fixture::{A, Lab, PATIENCE, UNTIL_SEEN, at, inside, kernel_count, ping};

/// What the host's kernel says to those whom it knows no connection of.
const REFUSALS: [&str; 3] = ["TcpOutRsts", "IcmpOutDestUnreachs", "Icmp6OutDestUnreachs"];

impl Lab {
    /// How often the host's kernel refused anybody: resets and unreachables.
    pub(crate) fn refusals(&self) -> Result<[u64; 3]> {
        let mut counts = [0; 3];
        for (count, name) in counts.iter_mut().zip(REFUSALS) {
            *count = self.kernel_count(name)?;
        }
        Ok(counts)
    }
}

#[test]
fn the_host_never_answers_for_a_container() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp -p 5201:5201")?;
    let _outside = Echo::start(lab.outside(), 7)?;
    let _inside = Echo::start(&lab.a(), 80)?;
    let before = lab.refusals()?;
    for family in [4, 6] {
        let outside = at(lab.outside.address(family), 7);
        let host = at(lab.outside.host_address(family), 8080);
        for _ in 0..5 {
            for transport in [Tcp, Udp] {
                ask(&lab.a(), transport, outside)?;
                ask(lab.outside(), transport, host)?;
            }
        }
        Conversation::start(&lab.a(), outside)?.exchange(1 << 20)?;
        Conversation::start(lab.outside(), host)?.exchange(1 << 20)?;
        ping(&lab.a(), outside.ip())?;
    }
    let server = IperfServer::start(&lab.a())?;
    for reverse in [false, true] {
        let mut client = server.client("192.0.2.1", Protocol::Tcp);
        (client.streams, client.reverse) = (4, reverse);
        client.run(lab.outside())?;
    }
    // What comes after the end: the peer's last words, and datagrams that nobody waits for any more.
    let late = ask(&lab.a(), Udp, "192.0.2.9:7".parse()?)?;
    let unreachables = kernel_count(&lab.a(), "IcmpOutDestUnreachs")?;
    lab.outside().inside(|| {
        let socket = std::net::UdpSocket::bind("192.0.2.9:9")?;
        for _ in 0..3 {
            socket.send_to(b"late", late)?;
        }
        Ok(())
    })?;
    eventually("the container refuses", PATIENCE, || {
        Ok(kernel_count(&lab.a(), "IcmpOutDestUnreachs")? > unreachables)
    })?;
    // Ports that nobody serves in there: the container refuses, and the host says nothing.
    lab.ctl("publish net a -p 8081:81 -p 8081:81/udp")?;
    let resets = kernel_count(&lab.a(), "TcpOutRsts")?;
    for host in ["192.0.2.1:8081", "[2001:db8::1]:8081"] {
        let host: SocketAddr = host.parse()?;
        let refused = lab.outside().inside(|| {
            Ok(std::net::TcpStream::connect_timeout(&host, PATIENCE).map_err(|e| e.kind()))
        })?;
        assert_eq!(refused.err(), Some(std::io::ErrorKind::ConnectionRefused));
        assert!(!reaches(lab.outside(), Udp, host)?);
    }
    assert_eq!(kernel_count(&lab.a(), "TcpOutRsts")?, resets + 2);
    assert_eq!(lab.refusals()?, before, "{REFUSALS:?}");

    // So that this test can fail: of its own ports, the host does refuse.
    for host in ["192.0.2.1:9999", "[2001:db8::1]:9999"] {
        reaches(lab.outside(), Tcp, host.parse()?)?;
        reaches(lab.outside(), Udp, host.parse()?)?;
    }
    let after = lab.refusals()?;
    for (before, after) in before.iter().zip(after) {
        assert!(after > *before, "{REFUSALS:?}: {after}");
    }
    Ok(())
}

#[test]
fn the_hosts_own_connections_are_undisturbed() -> Result<()> {
    let lab = Lab::new()?;
    let _outside = Echo::start(lab.outside(), 7)?;
    // As sshd: from before the daemon does anything with the port.
    let _service = Echo::start(&lab.host.place(), 2222)?;
    let (host, outside) = (lab.host.place(), lab.outside());
    let mut own = Vec::new();
    for family in [4, 6] {
        let service = at(lab.outside.host_address(family), 2222);
        own.push(Conversation::start(outside, service)?);
        own.push(Conversation::start(
            &host,
            at(lab.outside.address(family), 7),
        )?);
    }
    let server = IperfServer::start(outside)?;
    let mut client = server.client("192.0.2.9", Protocol::Tcp);
    (client.seconds, client.streams) = (4, 4);
    let load = client.spawn(&lab.a())?;
    // New connections of containers all the while, too.
    for round in 0..20 {
        for conversation in &mut own {
            conversation.goes_on(PATIENCE)?;
        }
        for family in [4, 6] {
            let echo = at(lab.outside.address(family), 7);
            ask(&lab.b(), Udp, echo)?;
            for transport in [Tcp, Udp] {
                let seen = ask(&host, transport, echo)?;
                assert_eq!(seen.ip(), lab.outside.host_address(family), "round {round}");
                let service = at(lab.outside.host_address(family), 2222);
                let seen = ask(outside, transport, service)?;
                assert_eq!(seen.ip(), lab.outside.address(family));
            }
        }
    }
    let run = IperfRun::parse(&load.finish(Duration::from_secs(60))?)?;
    assert!(run.bytes > 1_000_000, "{run:?}");
    for conversation in &mut own {
        conversation.exchange(1 << 20)?;
    }
    Ok(())
}

#[test]
fn the_host_wins_a_port_that_it_opens_later() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let from = at(inside(4, A), 5000);
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    let mut conversation = Conversation::start_from(&lab.a(), from, outside)?;
    assert_eq!(conversation.seen().port(), 5000);
    let service = Echo::start(&lab.host.place(), 5000)?;
    eventually("the host's service is reached", UNTIL_SEEN, || {
        reaches(lab.outside(), Tcp, "192.0.2.1:5000".parse()?)
    })?;
    ensure!(
        conversation.goes_on(PATIENCE / 10).is_err(),
        "both use the port"
    );
    // The container's next one gets another.
    let from = at(inside(4, A), 5001);
    let _second = Echo::start(&lab.host.place(), 5001)?;
    eventually("the container gets another port", UNTIL_SEEN, || {
        let seen = ask_from(&lab.a(), Tcp, from, outside);
        Ok(seen.is_ok_and(|seen| seen.port() != 5001))
    })?;
    drop(service);
    Ok(())
}

#[test]
fn ephemeral_ports_of_both_never_meet() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let echo: SocketAddr = "192.0.2.9:7".parse()?;
    let read = |name: &str| lab.host.run(&format!("sysctl -n net.ipv4.{name}"));
    println!("reserved: {}", read("ip_local_reserved_ports")?);
    // Two containers with the same source ports, of which one cannot be kept; the host chooses meanwhile.
    let mut translated = std::collections::BTreeSet::new();
    let mut own = std::collections::BTreeSet::new();
    let mut open = Vec::new();
    for port in 40_000..40_020 {
        for (place, last) in [(lab.a(), A), (lab.b(), crate::fixture::B)] {
            let from = at(inside(4, last), port);
            let conversation = Conversation::start_from(&place, from, echo)?;
            assert!(translated.insert(conversation.seen().port()));
            open.push(conversation);
        }
        let conversation = Conversation::start(&lab.host.place(), echo)?;
        own.insert(conversation.seen().port());
        open.push(conversation);
    }
    assert!(own.is_disjoint(&translated), "{own:?}\n{translated:?}");
    for conversation in &mut open {
        conversation.goes_on(PATIENCE)?;
    }
    Ok(())
}
