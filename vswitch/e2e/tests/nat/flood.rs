//! One container wants more than its share.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, Place, ask, ask_from, eventually, figures};

use crate::fixture::{A, B, Lab, PATIENCE, at, inside, rows};

/// Sends a datagram to each of many ports from one, no faster than a TAP's queue takes them.
fn knock(place: &Place, at: &str, ports: std::ops::Range<u16>) -> Result<()> {
    place.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for port in ports {
            // A refusal may be the answer to an earlier one.
            let _ = socket.send_to(b"knock", (at, port));
            if port % 50 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    })
}

#[test]
fn a_flood_of_new_flows_ends_at_the_containers_limit() -> Result<()> {
    let lab = Lab::configured("[nat]\nmax-sessions-per-container = 100\n")?;
    lab.add_two("")?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    let mut old = Conversation::start(&lab.a(), outside)?;
    old.goes_on(PATIENCE)?;
    knock(&lab.a(), "192.0.2.9", 10_000..20_000)?;
    let refused = lab.daemon.drops("a", "session_limit")?;
    let sessions = lab.sessions("net --sandbox a")?.len();
    figures(&format!(
        "10000 new flows of one container, 100 allowed: {sessions} sessions, {refused} refused"
    ))?;
    assert!(sessions <= 100);
    assert!(refused >= 1000, "{refused}");
    // Others go on as if nothing were, and so does what the container had before.
    for transport in [Tcp, Udp] {
        ask(&lab.b(), transport, outside)?;
    }
    old.goes_on(PATIENCE)?;
    assert_eq!(lab.daemon.drops("b", "session_limit")?, 0);
    // It is told, and free again when its sessions end.
    lab.ctl("conntrack net --sandbox a --flush")?;
    ask(&lab.a(), Udp, outside)?;
    Ok(())
}

#[test]
fn a_full_table_makes_room_for_what_is_worth_more() -> Result<()> {
    let lab = Lab::configured("[nat]\nmax-sessions = 200\n")?;
    lab.add_two("")?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    let mut old = Vec::new();
    for _ in 0..10 {
        let mut conversation = Conversation::start(&lab.b(), outside)?;
        conversation.goes_on(PATIENCE)?;
        old.push(conversation);
    }
    knock(&lab.a(), "192.0.2.9", 10_000..15_000)?;
    for transport in [Tcp, Udp] {
        ask(&lab.b(), transport, outside)?;
    }
    let stats = lab.daemon.json("conntrack --stats")?;
    println!("{stats}");
    assert!(stats["sessions"].as_u64() <= Some(200));
    assert!(stats["refused"].as_u64() > Some(1000), "the flood's own");
    assert!(
        stats["evicted"].as_u64() >= Some(2),
        "for those who want little"
    );
    // Connections in use were not what had to go.
    for conversation in &mut old {
        conversation.goes_on(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn a_detached_containers_sessions_end_with_it() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    let from = at(inside(4, A), 5000);
    let _held = Conversation::start_from(&lab.a(), from, outside)?;
    knock(&lab.a(), "192.0.2.9", 10_000..10_100)?;
    let _kept = Conversation::start(&lab.b(), outside)?;
    assert!(lab.sessions("")?.len() > 100);
    lab.ctl("detach net a")?;
    let left = lab.sessions("")?;
    assert!(left.iter().all(|row| row["sandbox"] == "b"), "{left:?}");
    assert_eq!(left.len(), 1);
    // The port is free at once, for somebody else.
    let seen = ask_from(&lab.b(), Tcp, at(inside(4, B), 5000), outside)?;
    assert_eq!(seen.port(), 5000);
    Ok(())
}

#[test]
fn exhausted_ports_are_an_error_to_who_wants_one() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    // All that translation could choose from is published; what is kept is another matter.
    let all = "1024-65535:1024-65535/udp";
    lab.ctl(&format!("publish net a -p {all}"))?;
    let refused = ask_from(&lab.b(), Udp, at(inside(4, B), 5000), outside);
    println!("{refused:?}");
    assert!(refused.is_err());
    assert!(lab.daemon.drops("b", "ports_exhausted")? > 0);
    ask(&lab.b(), Tcp, outside)?;
    lab.ctl(&format!("unpublish net a -p {all}"))?;
    ask_from(&lab.b(), Udp, at(inside(4, B), 5000), outside)?;
    assert!(rows(&lab.daemon, "ports")?.is_empty());
    Ok(())
}

#[test]
fn a_flood_to_a_published_port_leaves_nothing_of_a_container_that_goes() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 9000:9000/udp")?;
    let to = at(lab.outside.host_address(4), 9000);
    let sessions = || {
        let stats = lab.daemon.json("conntrack --stats")?;
        stats["sessions"].as_u64().context("no number of sessions")
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            lab.outside().inside(|| {
                while !over.load(Ordering::Relaxed) {
                    // Each from a port of its own, so each a session.
                    UdpSocket::bind("0.0.0.0:0")?.send_to(b"knock", to)?;
                }
                Ok(())
            })
        });
        let gone = eventually("sessions begin", PATIENCE, || Ok(sessions()? > 100))
            .and_then(|()| lab.ctl("detach net a"));
        // What is under way arrives.
        std::thread::sleep(Duration::from_millis(100));
        over.store(true, Ordering::Relaxed);
        gone?;
        flood.join().map_err(|_| anyhow!("the flood panicked"))?
    })?;
    assert_eq!(sessions()?, 0);
    Ok(())
}
