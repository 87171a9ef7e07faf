//! Published ports, from containers: packets turn back in the router (RFC 4787 REQ-9).

use std::fs;
use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, Place, ask, ask_from, eventually, reaches};

use crate::fixture::{A, B, Lab, PATIENCE, at, inside};

#[test]
fn containers_reach_published_ports_with_an_external_source() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net other --subnet 10.21.0.0/24 --ipv6 --subnet fd21::/64")?;
    lab.daemon.populate("other", &["c"])?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        let to = at(lab.outside.host_address(family), 8080);
        // The same network, another one, and the very container.
        for sandbox in ["b", "c", "a"] {
            let place = lab.host.sandbox(sandbox);
            for transport in [Tcp, Udp] {
                let seen = ask(&place, transport, to)?;
                assert_eq!(seen.ip(), to.ip(), "{sandbox}, {transport}");
            }
            Conversation::start(&place, to)?.exchange(1 << 20)?;
        }
    }
    Ok(())
}

#[test]
fn containers_reach_published_ports_at_their_gateway() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        for transport in [Tcp, Udp] {
            for place in [lab.a(), lab.b()] {
                ask(&place, transport, at(inside(family, 1), 8080))?;
            }
        }
    }
    Ok(())
}

#[test]
fn mappings_are_reached_from_inside_too() -> Result<()> {
    let lab = Lab::empty()?;
    lab.add_two("-o vswitch.nat-filtering=endpoint-independent")?;
    let _outside = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        // A port that a has used is known outside; with this filtering, b may use it as well.
        let port = at(inside(family, A), 5000);
        let seen = ask_from(&lab.a(), Udp, port, at(lab.outside.address(family), 7))?;
        let _here = Echo::at(&lab.a(), port)?;
        let from = at(inside(family, B), 6000);
        let b = ask_from(&lab.b(), Udp, from, seen)?;
        assert_eq!(b, at(lab.outside.host_address(family), 6000));
    }
    Ok(())
}

#[test]
fn the_hosts_own_services_are_reached_as_before() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    let _service = Echo::start(&lab.host.place(), 2222)?;
    for family in [4, 6] {
        for address in [inside(family, 1), lab.outside.host_address(family)] {
            for transport in [Tcp, Udp] {
                // A server of UDP that is bound to nothing answers with the gateway's address.
                if transport == Udp && address != inside(family, 1) {
                    continue;
                }
                let seen = ask(&lab.a(), transport, at(address, 2222))?;
                assert_eq!(seen.ip(), inside(family, A), "{transport} {address}");
            }
            assert!(!reaches(&lab.a(), Tcp, at(address, 2223))?);
        }
    }
    Ok(())
}

#[test]
fn conversations_end_with_the_publication_at_every_address_of_the_host() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 9000:9000")?;
    let _echo = Echo::start(&lab.a(), 9000)?;
    let mut conversations = Vec::new();
    for family in [4, 6] {
        for address in [inside(family, 1), lab.outside.host_address(family)] {
            let mut conversation = Conversation::start(&lab.b(), at(address, 9000))?;
            conversation.goes_on(PATIENCE)?;
            conversations.push(conversation);
        }
    }
    // What the server had to send again would begin anew, from inside.
    eventually("all that the server said is acknowledged", PATIENCE, || {
        all_is_acknowledged(&lab.a())
    })?;
    lab.ctl("unpublish net a -p 9000:9000")?;
    for mut conversation in conversations {
        assert!(conversation.goes_on(Duration::from_secs(1)).is_err());
    }
    let left = lab.sessions("net --sandbox a")?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Whether no TCP connection of a namespace has anything to send, or to send again: `tx_queue` of
/// `/proc/net/tcp` counts both.
fn all_is_acknowledged(place: &Place) -> Result<bool> {
    let idle = |line: &str| {
        let queues = line.split_ascii_whitespace().nth(4);
        queues.is_some_and(|queues| queues.starts_with("00000000:"))
    };
    place.inside(|| {
        for table in ["tcp", "tcp6"] {
            let text = fs::read_to_string(format!("/proc/thread-self/net/{table}"))?;
            if !text.lines().skip(1).all(idle) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}
