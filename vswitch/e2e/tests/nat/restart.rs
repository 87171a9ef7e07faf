//! The daemon goes and comes back: connections hardly notice, and the host stays reachable.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{
    Conversation, Echo, IperfRun, IperfServer, Protocol, ask, ask_from, figures, reaches,
};

use crate::fixture::{A, B, Lab, PATIENCE, at, inside};

/// A moment in which a peer sends and nobody translates.
const AWAY: Duration = Duration::from_millis(500);

#[test]
fn translated_connections_survive() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 127.0.0.1:8081:80")?;
    let _outside = Echo::start(lab.outside(), 7)?;
    let _inside = Echo::start(&lab.a(), 80)?;
    let mut open = Vec::new();
    let mut datagrams = Vec::new();
    for family in [4, 6] {
        let outside = at(lab.outside.address(family), 7);
        // Of the same source port: one of the two is translated to another.
        for (place, last) in [(lab.a(), A), (lab.b(), B)] {
            let from = at(inside(family, last), 5000);
            open.push(Conversation::start_from(&place, from, outside)?);
            let seen = ask_from(&place, Udp, from, outside)?;
            datagrams.push((place, from, outside, seen));
        }
        let host = at(lab.outside.host_address(family), 8080);
        open.push(Conversation::start(lab.outside(), host)?);
        // Through the router and back.
        open.push(Conversation::start(&lab.b(), host)?);
    }
    assert_ne!(open[0].seen().port(), open[1].seen().port());
    let before = lab.refusals()?;
    for kill in [true, false, true] {
        if kill {
            lab.daemon.kill()?;
        } else {
            lab.daemon.stop()?;
        }
        // They speak while nobody listens: the host must not answer for the containers.
        for conversation in &mut open {
            assert!(conversation.goes_on(Duration::from_millis(30)).is_err());
        }
        sleep(AWAY);
        lab.daemon.start_again()?;
        assert_eq!(lab.refusals()?, before, "kill -9: {kill}");
        for conversation in &mut open {
            conversation.goes_on(PATIENCE)?;
        }
        for (place, from, outside, seen) in &datagrams {
            let now = ask_from(place, Udp, *from, *outside)?;
            assert_eq!(now, *seen, "{from} is someone else outside");
        }
    }
    // Longer than it takes the daemon to look around.
    sleep(Duration::from_secs(3));
    for conversation in &mut open {
        conversation.exchange(1 << 20)?;
    }
    assert_eq!(lab.refusals()?, before);
    // What is published is so again, from everywhere.
    for host in ["192.0.2.1:8080", "[2001:db8::1]:8080", "127.0.0.1:8081"] {
        let host: SocketAddr = host.parse()?;
        if !host.ip().is_loopback() {
            ask(lab.outside(), Tcp, host)?;
        }
        ask(&lab.host.place(), Tcp, host)?;
    }
    Ok(())
}

#[test]
fn bulk_goes_on_after_kill_9() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("publish net a -p 5201:5201")?;
    let outside = IperfServer::start(lab.outside())?;
    let inside = IperfServer::start(&lab.a())?;
    let mut runs = Vec::new();
    for (server, address, from) in [
        (&outside, "192.0.2.9", lab.b()),
        (&inside, "192.0.2.1", lab.outside().clone()),
    ] {
        let mut client = server.client(address, Protocol::Tcp);
        (client.seconds, client.interval) = (7, 0.1);
        runs.push(client.spawn(&from)?);
    }
    sleep(Duration::from_secs(2));
    lab.daemon.kill()?;
    sleep(AWAY);
    lab.daemon.start_again()?;
    for (run, way) in runs.into_iter().zip(["out", "in"]) {
        let run = IperfRun::parse(&run.finish(Duration::from_secs(60))?)?;
        let gaps = run.intervals.split(|&rate| rate > 0.0);
        let longest = gaps.map(<[f64]>::len).max().unwrap_or(0);
        figures(&format!(
            "kill -9 during TCP {way} through NAT: {:.1} s without traffic, {:.2} Gbit/s over all",
            f64::from(u32::try_from(longest)?) / 10.0,
            run.bits_per_second / 1e9
        ))?;
        let last = &run.intervals[run.intervals.len().saturating_sub(10)..];
        assert!(last.iter().any(|&rate| rate > 0.0), "{:?}", run.intervals);
    }
    Ok(())
}

#[test]
fn the_host_is_reachable_without_the_daemon() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    let _service = Echo::start(&lab.host.place(), 2222)?;
    let _outside = Echo::start(lab.outside(), 7)?;
    let mut own = Vec::new();
    for family in [4, 6] {
        let service = at(lab.outside.host_address(family), 2222);
        own.push(Conversation::start(lab.outside(), service)?);
        let outside = at(lab.outside.address(family), 7);
        own.push(Conversation::start(&lab.host.place(), outside)?);
        ask(&lab.a(), Udp, outside)?;
    }
    lab.daemon.kill()?;
    for _ in 0..2 {
        for conversation in &mut own {
            conversation.goes_on(PATIENCE)?;
        }
        for family in [4, 6] {
            let service = at(lab.outside.host_address(family), 2222);
            let outside = at(lab.outside.address(family), 7);
            for transport in [Tcp, Udp] {
                ask(lab.outside(), transport, service)?;
                ask(&lab.host.place(), transport, outside)?;
                assert!(
                    !reaches(&lab.a(), transport, outside)?,
                    "who forwards that?"
                );
            }
            crate::fixture::ping(lab.outside(), service.ip())?;
            crate::fixture::ping(&lab.host.place(), outside.ip())?;
        }
        sleep(Duration::from_secs(1));
    }
    lab.daemon.start_again()?;
    ask(&lab.a(), Tcp, at(lab.outside.address(4), 7))?;
    Ok(())
}

#[test]
fn a_clean_end_leaves_nothing_at_the_nic_that_hurts() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    lab.ctl("detach net a")?;
    lab.ctl("detach net b")?;
    lab.ctl("rm-net net")?;
    lab.daemon.stop()?;
    // The port is the host's own again, and so are all those that translation drew from.
    for port in [8080, 5000, 60_000] {
        let _service = Echo::start(&lab.host.place(), port)?;
        for family in [4, 6] {
            ask(
                lab.outside(),
                Tcp,
                at(lab.outside.host_address(family), port),
            )?;
            ask(
                lab.outside(),
                Udp,
                at(lab.outside.host_address(family), port),
            )?;
        }
    }
    Ok(())
}
