//! An underlay that fails: counted by reason, and recovered from.

use anyhow::{Result, ensure};
use vswitch_e2e::{Conversation, Echo, eventually};

use crate::fixture::{PATIENCE, answers, at, inside, no_ping, ping};
use crate::mesh::Mesh;

/// Spoils the way from host 1 to host 2 while a connection is open, and mends it again.
fn trouble(family: u8, reason: &str, spoil: &str, mend: &str) -> Result<()> {
    let mesh = Mesh::with(2, family, "")?;
    let _server = Echo::start(&mesh.container(2), 7)?;
    let mut open = Conversation::start(&mesh.container(1), at(inside(4, 20), 7))?;
    open.goes_on(PATIENCE)?;
    let node = mesh.node(1);
    assert_eq!(node.tunnel_drops(reason)?, 0);
    node.host.run(spoil)?;
    no_ping(&mesh.container(1), inside(4, 20))?;
    ensure!(node.tunnel_drops(reason)? > 0, "{}", node.ctl("stats")?);
    node.host.run(mend)?;
    eventually("the way is there again", PATIENCE, || {
        answers(&mesh.container(1), inside(4, 20))
    })?;
    open.goes_on(PATIENCE)?;
    open.exchange(1 << 20)?;
    ping(&mesh.container(2), inside(6, 10))
}

#[test]
fn a_route_that_goes_and_comes_back() -> Result<()> {
    trouble(
        4,
        "underlay_unreachable",
        "ip route del 192.0.2.0/24 dev eth0",
        "ip route add 192.0.2.0/24 dev eth0",
    )
}

#[test]
fn an_ipv6_route_that_goes_and_comes_back() -> Result<()> {
    trouble(
        6,
        "underlay_unreachable",
        "ip -6 route del 2001:db8::/64 dev eth0",
        "ip -6 route add 2001:db8::/64 dev eth0",
    )
}

#[test]
fn a_firewall_that_forbids_it() -> Result<()> {
    trouble(
        4,
        "underlay_forbidden",
        "iptables -A OUTPUT -p udp --dport 4789 -j DROP",
        "iptables -D OUTPUT -p udp --dport 4789 -j DROP",
    )
}

/// It does not disturb what goes elsewhere.
#[test]
fn a_peer_that_is_away() -> Result<()> {
    let mesh = Mesh::of(3)?;
    let _server = Echo::start(&mesh.container(2), 7)?;
    let mut open = Conversation::start(&mesh.container(1), at(inside(4, 20), 7))?;
    let host = &mesh.node(1).host;
    host.run("ip route add unreachable 192.0.2.3/32")?;
    for _ in 0..3 {
        no_ping(&mesh.container(1), inside(4, 30))?;
        open.exchange(1 << 20)?;
    }
    ensure!(mesh.node(1).tunnel_drops("underlay_unreachable")? > 0);
    host.run("ip route del unreachable 192.0.2.3/32")?;
    eventually("the peer is there again", PATIENCE, || {
        answers(&mesh.container(1), inside(4, 30))
    })
}
