//! Several segments: what is kept apart, and what a gateway joins.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Capture, Conversation, Echo, Place, Underlay, eventually, send_frames};

use crate::fixture::{BROADCAST, Node, PATIENCE, VNI, at, frame, inside, mac, no_ping, ping};

/// Of two hosts, each with the network `net` of two subnets; c10 of the first one on the first host, c20 of
/// the second on the second.
struct TwoSubnets {
    nodes: [Node; 2],
    underlay: Underlay,
}

const FIRST: [&str; 2] = ["10.20.0.10", "fd20::10"];
const SECOND: [&str; 2] = ["10.21.0.20", "fd21::20"];

impl TwoSubnets {
    fn new(options: &str) -> Result<Self> {
        let underlay = Underlay::without_offloads()?;
        let nodes = [1, 2].map(|number| -> Result<Node> {
            let node = Node::new(&underlay, number)?;
            let peer = underlay.address(4, 3 - number);
            node.ctl(&format!(
                "add-net net -d overlay --subnet 10.20.0.0/24 --subnet 10.21.0.0/24 --ipv6 \
                 --subnet fd20::/64 --subnet fd21::/64 -o peers={peer} {options}"
            ))?;
            let [v4, v6] = if number == 1 { FIRST } else { SECOND };
            let name = format!("c{number}0");
            node.ctl(&format!("add-sandbox {name}"))?;
            node.ctl(&format!("attach net {name} --ip {v4} --ip6 {v6}"))?;
            Ok(node)
        });
        let [one, two] = nodes;
        Ok(Self {
            nodes: [one?, two?],
            underlay,
        })
    }
}

/// The TTL of the answer to an echo request.
fn answers_ttl(place: &Place, to: IpAddr) -> Result<u8> {
    let ping = place.program("ping");
    let printed = ping
        .args(["-c", "1", "-i", "0.2", "-w", "5", &to.to_string()])
        .output()?;
    let (_, rest) = printed.split_once("ttl=").context("no ttl=")?;
    let number = rest.split_whitespace().next().unwrap_or_default();
    Ok(number.parse()?)
}

#[test]
fn two_subnets_of_a_network_are_a_hop_apart() -> Result<()> {
    let lab = TwoSubnets::new("")?;
    let (here, there) = (lab.nodes[0].container(10), lab.nodes[1].container(20));
    let packets = lab.underlay.record("udp port 4789")?;
    let _server = Echo::start(&there, 7)?;
    for (first, second, gateway) in [
        (FIRST[0], SECOND[0], "10.20.0.1"),
        (FIRST[1], SECOND[1], "fd20::1"),
    ] {
        let (first, second): (IpAddr, IpAddr) = (first.parse()?, second.parse()?);
        ping(&here, second)?;
        ping(&there, first)?;
        // One router each way.
        ensure!(answers_ttl(&here, second)? == 63);
        ensure!(answers_ttl(&there, first)? == 63);
        let mut conversation = Conversation::start(&here, at(second, 7))?;
        conversation.exchange(1 << 20)?;
        ensure!(conversation.seen().ip() == first, "a translated address");
        let traceroute = here.program("traceroute");
        let trace = traceroute
            .args(["-n", "-q", "1", "-m", "4", &second.to_string()])
            .output()?;
        let hops: Vec<_> = trace
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        ensure!(hops == [gateway, &second.to_string()], "{trace}");
    }
    // Each way in the segment of the destination.
    for (kind, vni) in [(8, VNI + 1), (0, VNI)] {
        let echo = format!("icmp.type == {kind} && ip.src == 10.20.0.10");
        let answer = format!("icmp.type == {kind} && ip.src == 10.21.0.20");
        let filter = if kind == 8 { echo } else { answer };
        let rows = packets.dissect(&filter, &["vxlan.vni"])?;
        ensure!(!rows.is_empty(), "no {filter}");
        ensure!(
            rows.iter().all(|row| row[0] == [vni.to_string()]),
            "{rows:?}"
        );
    }
    Ok(())
}

#[test]
fn segments_have_the_numbers_that_were_given() -> Result<()> {
    let lab = TwoSubnets::new("-o com.docker.network.driver.overlay.vxlanid_list=70,71")?;
    let vteps = lab.nodes[0].rows("vtep list net")?;
    let mut vnis: Vec<_> = vteps.iter().map(|row| row["vni"].as_u64()).collect();
    vnis.sort_unstable();
    ensure!(vnis == [Some(70), Some(71)], "{vteps:?}");
    ping(&lab.nodes[0].container(10), SECOND[0].parse()?)
}

/// The same network by name and addresses on all three hosts, but another number on one of them.
#[test]
fn networks_of_other_numbers_are_apart() -> Result<()> {
    let underlay = Underlay::new()?;
    let mut nodes = Vec::new();
    for (number, vni) in [(1, 5000), (2, 5001), (3, 5000)] {
        let node = Node::new(&underlay, number)?;
        let others = (1..=3).filter(|other| *other != number);
        let peers: Vec<_> = others.map(|other| underlay.address(4, other)).collect();
        node.add_net(&peers, &format!("-o vni={vni}"))?;
        node.attach(10 * number)?;
        nodes.push(node);
    }
    let arriving = Capture::start(&nodes[1].container(20), "eth0")?;
    let also = Capture::start(&nodes[2].container(30), "eth0")?;
    let hello = frame(BROADCAST, mac(10), 1);
    send_frames(
        &nodes[0].container(10),
        "eth0",
        1,
        std::slice::from_ref(&hello),
    )?;
    also.wait_for(&hello)?;
    eventually("the datagram is refused", PATIENCE, || {
        Ok(nodes[1].tunnel_drops("unknown_vni")? > 0)
    })?;
    ensure!(arriving.count(&hello)? == 0);
    ping(&nodes[0].container(10), inside(4, 30))?;
    no_ping(&nodes[0].container(10), inside(4, 20))?;
    no_ping(&nodes[1].container(20), inside(6, 30))
}

/// Two networks between the same hosts, over the same sockets.
#[test]
fn two_networks_between_the_same_hosts_are_apart() -> Result<()> {
    let underlay = Underlay::new()?;
    let mut nodes = Vec::new();
    for number in [1, 2] {
        let node = Node::new(&underlay, number)?;
        let peer = underlay.address(4, 3 - number);
        node.add_net(&[peer], "")?;
        node.attach(10 * number)?;
        node.ctl(&format!(
            "add-net other -d overlay --subnet 10.30.0.0/24 -o peers={peer}"
        ))?;
        node.ctl("add-sandbox other")?;
        node.ctl(&format!("attach other other --ip 10.30.0.{number}0"))?;
        nodes.push(node);
    }
    let others = Capture::start(&nodes[1].host.sandbox("other"), "eth0")?;
    let net = Capture::start(&nodes[1].container(20), "eth0")?;
    let hello = frame(BROADCAST, mac(10), 1);
    send_frames(
        &nodes[0].container(10),
        "eth0",
        1,
        std::slice::from_ref(&hello),
    )?;
    net.wait_for(&hello)?;
    let in_other = frame(BROADCAST, [0x02, 0x42, 10, 30, 0, 10], 2);
    let place = nodes[0].host.sandbox("other");
    send_frames(&place, "eth0", 1, std::slice::from_ref(&in_other))?;
    others.wait_for(&in_other)?;
    ensure!((net.count(&in_other)?, others.count(&hello)?) == (0, 0));
    ping(&place, "10.30.0.20".parse()?)?;
    no_ping(&place, inside(4, 20))?;
    // One socket, two segments.
    let vteps = nodes[0].rows("vtep list")?;
    let mut vnis: Vec<_> = vteps.iter().map(|row| row["vni"].as_u64()).collect();
    vnis.sort_unstable();
    ensure!(vnis == [Some(4096), Some(4097)], "{vteps:?}");
    Ok(())
}
