//! Containers of which the wire sees one MAC address only: the parent's.

use anyhow::{Result, ensure};
use vswitch_e2e::{Underlay, WebServer, fetch_page, send_frames};

use crate::fixture::{BROADCAST, Node, OUTSIDER, Pair, frame, mac, mac_of, on_wire, ping, plain};

/// All of a frame that may tell a MAC address.
const FIELDS: [&str; 5] = [
    "eth.src",
    "eth.dst",
    "arp.src.hw_mac",
    "arp.dst.hw_mac",
    "icmpv6.opt.linkaddr",
];

#[test]
fn the_wire_sees_the_parents_address_only() -> Result<()> {
    let wire = Underlay::new()?;
    let packets = wire.record("")?;
    let pair = Pair::on(wire, "macvlan", "-o mac_nat=true")?;
    let outsider = plain(&pair.wire, OUTSIDER)?;
    let [here, there] = pair.containers();
    let sibling = pair.nodes[0].attach("net", 11)?;
    let _servers = [
        WebServer::start(&outsider.place(), "outside")?,
        WebServer::start(&here, "here")?,
        WebServer::start(&there, "there")?,
    ];
    for family in [4, 6] {
        for place in [&here, &sibling] {
            ping(place, on_wire(family, OUTSIDER))?;
            ensure!(fetch_page(place, on_wire(family, OUTSIDER))? == "outside");
            ensure!(fetch_page(place, on_wire(family, 20))? == "there");
        }
        ping(&here, on_wire(family, 11))?;
        for place in [&outsider.place(), &there, &sibling] {
            ensure!(fetch_page(place, on_wire(family, 10))? == "here");
        }
        // The two know each other by their own addresses.
        let neighbours = here.program("ip").args(["neighbour", "show"]).output()?;
        let known = format!("{} dev eth0 lladdr 02:42:c0:00:02:0b", on_wire(family, 11));
        ensure!(neighbours.contains(&known), "{neighbours}");
    }
    // What is of no protocol that is translated.
    send_frames(&here, "eth0", 1, &[frame(BROADCAST, mac(10), 1)])?;
    packets.wait_for("eth.type == 0x88b5", 1)?;

    let mut machines = Vec::new();
    for (place, port) in [
        (pair.nodes[0].host.place(), 10),
        (pair.nodes[1].host.place(), 20),
    ] {
        let machine = mac_of(&place, "eth0")?;
        let of_container = format!("ip.src == {} && tcp", on_wire(4, port));
        let rows = packets.dissect(&of_container, &["eth.src"])?;
        ensure!(!rows.is_empty() && rows.iter().all(|row| row[0] == [machine.clone()]));
        machines.push(machine);
    }
    // Nor does anything within a frame tell another one.
    let rows = packets.dissect("frame", &FIELDS)?;
    ensure!(rows.len() > 100, "{} frames", rows.len());
    for row in rows {
        let told = row
            .iter()
            .flatten()
            .find(|value| value.starts_with("02:42:"));
        ensure!(told.is_none(), "{row:?}");
    }
    for row in packets.dissect("eth.type == 0x88b5", &["eth.src"])? {
        ensure!(row[0] == machines[..1], "{row:?}");
    }
    // The checksums of what was rewritten are right.
    let wrong =
        "icmpv6.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
    let solicited = "icmpv6.type == 135 || icmpv6.type == 136";
    ensure!(!packets.dissect(solicited, &["frame.number"])?.is_empty());
    let rows = packets.dissect(&format!("({solicited}) && ({wrong})"), &["frame.number"])?;
    ensure!(
        rows.is_empty(),
        "{}",
        packets.explain(&format!("({solicited}) && ({wrong})"))?
    );
    Ok(())
}

/// Who is behind the parent's address is found by what a neighbour asks of, and what it says.
#[test]
fn a_neighbour_that_asks_first() -> Result<()> {
    let wire = Underlay::new()?;
    let outsider = plain(&wire, OUTSIDER)?;
    let node = Node::new(&wire, 1)?;
    node.add_net("net", "macvlan", "-o mac_nat=true")?;
    let _containers = [node.attach("net", 10)?, node.attach("net", 11)?];
    let parent = mac_of(&node.host.place(), "eth0")?;
    for number in [10, 11, 1] {
        for family in [4, 6] {
            let address = on_wire(family, number);
            ping(&outsider.place(), address)?;
            let known = outsider.run(&format!("ip neighbour show {address}"))?;
            ensure!(known.contains(&parent), "{known}");
        }
    }
    Ok(())
}
