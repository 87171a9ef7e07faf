//! Datagrams longer than the MTU, in pieces that are translated alike.

use anyhow::Result;
use vswitch_e2e::{Echo, ask_large};

use crate::fixture::{Lab, at};

#[test]
fn long_datagrams_go_out_and_come_back() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        let outside = lab.outside.address(family);
        for octets in [1472, 1473, 8000, 40_000] {
            let seen = ask_large(&lab.a(), at(outside, 7), octets)?;
            assert_eq!(seen.ip(), lab.outside.host_address(family));
        }
        let ping = lab.a().program("ping");
        let outside = outside.to_string();
        ping.args(["-s", "4000", "-c", "3", "-i", "0.2", "-W", "2", &outside])
            .output()?;
    }
    assert_eq!(lab.daemon.drops("a", "bad_fragment")?, 0);
    Ok(())
}

#[test]
fn long_datagrams_come_in_and_go_back() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80/udp")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        let host = at(lab.outside.host_address(family), 8080);
        for octets in [1473, 8000, 40_000] {
            let seen = ask_large(lab.outside(), host, octets)?;
            assert_eq!(seen.ip(), lab.outside.address(family));
        }
        // From a container, in and out again.
        ask_large(&lab.b(), host, 8000)?;
        // And from the host, by a socket.
        ask_large(&lab.host.place(), host, 8000)?;
    }
    let stats = lab.daemon.json("conntrack --stats")?;
    println!("{stats}");
    assert_eq!(stats["held_fragments"], 0);
    Ok(())
}

#[test]
fn the_hosts_own_long_datagrams_are_left_alone() -> Result<()> {
    let lab = Lab::new()?;
    let _outside = Echo::start(lab.outside(), 7)?;
    let _host = Echo::start(&lab.host.place(), 2222)?;
    for family in [4, 6] {
        ask_large(&lab.host.place(), at(lab.outside.address(family), 7), 8000)?;
        ask_large(
            lab.outside(),
            at(lab.outside.host_address(family), 2222),
            8000,
        )?;
    }
    Ok(())
}
