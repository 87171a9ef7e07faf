//! With the Linux kernel's VXLAN device at the other end.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Capture, Conversation, Echo, KernelTunnel, KernelVtep, Underlay, ask_large};

use crate::ends::{Ends, HERE, THERE};
use crate::fixture::{BROADCAST, Node, VNI, at, inside, kernel, mac_text, no_ping, ping};
use crate::headers::{Seen, Tunnel};

/// Host 1 has a daemon, host 2 the kernel's VXLAN device.
struct Pair {
    node: Node,
    kernel: KernelVtep,
    underlay: Underlay,
}

impl Pair {
    /// Over an underlay of a family.
    fn over(underlay: Underlay, family: u8) -> Result<Self> {
        let tunnel = KernelTunnel::new(VNI, underlay.address(family, 2));
        let peer = underlay.address(family, 1);
        let pair = Self::with(underlay, &tunnel, "")?;
        pair.kernel.add_peer(peer)?;
        pair.node.ctl(&format!("vtep add net {}", tunnel.local))?;
        Ok(pair)
    }

    /// Without a peer on either side.
    fn with(underlay: Underlay, tunnel: &KernelTunnel, options: &str) -> Result<Self> {
        let kernel = kernel(&underlay, 2, tunnel, &[])?;
        let node = Node::new(&underlay, 1)?;
        let local = underlay.address(if tunnel.local.is_ipv4() { 4 } else { 6 }, 1);
        node.add_net(&[], &format!("-o local={local} {options}"))?;
        node.attach(HERE)?;
        Ok(Self {
            node,
            kernel,
            underlay,
        })
    }

    fn ends(&self) -> Ends {
        Ends {
            here: self.node.container(HERE),
            there: self.kernel.container(),
        }
    }
}

/// Two of the kernel's own: what the tests here expect is what there is.
#[test]
fn two_kernels_pass_these_checks() -> Result<()> {
    for family in [4, 6] {
        let underlay = Underlay::without_offloads()?;
        let [one, two] = [1, 2].map(|number| underlay.address(family, number));
        let mut tunnels = [one, two].map(|local| KernelTunnel::new(VNI, local));
        for tunnel in &mut tunnels {
            tunnel.words = if family == 4 {
                "df set udpcsum srcport 49152 65535"
            } else {
                "srcport 49152 65535"
            };
        }
        let vteps = [
            kernel(&underlay, 1, &tunnels[0], &[two])?,
            kernel(&underlay, 2, &tunnels[1], &[one])?,
        ];
        let packets = underlay.record("")?;
        let ends = Ends {
            here: vteps[0].container(),
            there: vteps[1].container(),
        };
        ends.flood()?;
        ends.multicast()?;
        ends.talk()?;
        ends.flows()?;
        let mut tunnel = Tunnel {
            from: one,
            to: two,
            vni: VNI,
        };
        well_formed(&tunnel.check(&packets)?)?;
        // The checks find what is wrong, too.
        tunnel.vni += 1;
        ensure!(tunnel.check(&packets).is_err());
    }
    Ok(())
}

/// Enough was seen, and flows are spread.
fn well_formed(seen: &Seen) -> Result<()> {
    ensure!(seen.flows >= 20 && seen.ports.len() > 4, "{seen:?}");
    ensure!(seen.checked > 50 && seen.checked < seen.packets, "{seen:?}");
    Ok(())
}

fn every_packet_over(family: u8) -> Result<()> {
    let pair = Pair::over(Underlay::without_offloads()?, family)?;
    let [one, two] = [1, 2].map(|number| pair.underlay.address(family, number));
    let packets = pair.underlay.record("")?;
    let ends = pair.ends();
    ends.flood()?;
    ends.multicast()?;
    ends.talk()?;
    ends.flows()?;
    let tunnel = Tunnel {
        from: one,
        to: two,
        vni: VNI,
    };
    well_formed(&tunnel.check(&packets)?)?;
    // Each has learned where the other's container is.
    let learned = format!("{} dst {one}", mac_text(HERE));
    let kernel = pair.kernel.fdb()?;
    ensure!(kernel.contains(&learned), "{kernel}");
    let fdb = pair.node.rows("fdb net")?;
    let entry = fdb.iter().find(|row| row["mac"] == mac_text(THERE));
    let entry = entry.with_context(|| format!("{fdb:?}"))?;
    ensure!(entry["origin"] == "learned", "{entry}");
    ensure!(entry["port"]["name"] == format!("vtep-{two}"), "{entry}");
    Ok(())
}

#[test]
fn every_packet_over_ipv4_is_as_it_should_be() -> Result<()> {
    every_packet_over(4)
}

#[test]
fn every_packet_over_ipv6_is_as_it_should_be() -> Result<()> {
    every_packet_over(6)
}

#[test]
fn large_transfers() -> Result<()> {
    for family in [4, 6] {
        let pair = Pair::over(Underlay::without_offloads()?, family)?;
        let ends = pair.ends();
        let _servers = [Echo::start(&ends.here, 7)?, Echo::start(&ends.there, 7)?];
        // There and back, octet by octet.
        for (place, to) in [(&ends.here, THERE), (&ends.there, HERE)] {
            let inner = if to == HERE { 4 } else { 6 };
            Conversation::start(place, at(inside(inner, to), 7))?.exchange(64 << 20)?;
        }
        ends.bulk()?;
        // With packets of every length up to the longest.
        for octets in (1380..=1430).step_by(7) {
            ask_large(&ends.here, at(inside(4, THERE), 7), octets)?;
        }
    }
    Ok(())
}

/// Between namespaces of one machine there is no NIC: the kernel's device sends super-frames, and leaves the
/// checksums of what is in the tunnel to a NIC that never comes.
#[test]
fn nobody_finishes_what_is_left_to_the_nic() -> Result<()> {
    for family in [4, 6] {
        let pair = Pair::over(Underlay::new()?, family)?;
        pair.ends().talk()?;
        pair.ends().bulk()?;
    }
    Ok(())
}

/// Who is where was told to both, and nothing is flooded.
#[test]
fn programmed_addresses() -> Result<()> {
    let underlay = Underlay::without_offloads()?;
    let [one, two] = [1, 2].map(|number| underlay.address(4, number));
    let mut tunnel = KernelTunnel::new(VNI, two);
    tunnel.learning = false;
    let pair = Pair::with(
        underlay,
        &tunnel,
        &format!("-o peers={two} -o learning=false"),
    )?;
    let ends = pair.ends();
    // Nobody knows yet, and the kernel has nowhere to send what is unknown.
    no_ping(&ends.there, inside(4, HERE))?;
    pair.kernel.add_remote(&mac_text(HERE), one)?;
    for family in [4, 6] {
        let (address, mac) = (inside(family, HERE), mac_text(HERE));
        let neighbour = format!("ip neigh replace {address} lladdr {mac} dev eth0 nud permanent");
        pair.kernel.host().run_in("c", &neighbour)?;
    }
    let (mac, [v4, v6]) = (mac_text(THERE), [4, 6].map(|f| inside(f, THERE)));
    pair.node
        .ctl(&format!("remote add net {mac} {two} --ip {v4} --ip {v6}"))?;
    let fdb = pair.node.rows("fdb net")?;
    let entry = fdb.iter().find(|row| row["mac"] == mac);
    let entry = entry.with_context(|| format!("{fdb:?}"))?;
    ensure!(entry["origin"] == "programmed", "{entry}");

    // Its address is known, so nobody else is asked for it: the question does not cross the wire.
    let questions = Capture::start(&ends.there, "eth0")?;
    let _servers = [Echo::start(&ends.here, 7)?, Echo::start(&ends.there, 7)?];
    for family in [4, 6] {
        for (place, to) in [(&ends.here, THERE), (&ends.there, HERE)] {
            ping(place, inside(family, to))?;
            Conversation::start(place, at(inside(family, to), 7))?.exchange(1 << 20)?;
        }
    }
    let frames = questions.frames()?;
    ensure!(frames.len() > 100, "the capture sees nothing");
    let asked = |frame: &Vec<u8>| frame[..6] == BROADCAST && frame[12..14] == [0x08, 0x06];
    ensure!(!frames.iter().any(asked), "ARP for a known address");
    // Nothing was learned from all that.
    let fdb = pair.node.ctl("fdb net")?;
    ensure!(!fdb.contains("learned"), "{fdb}");

    pair.node.ctl(&format!("remote del net {mac}"))?;
    let fdb = pair.node.ctl("fdb net")?;
    ensure!(!fdb.contains(&mac), "{fdb}");
    Ok(())
}

/// Nobody is given as a peer: a multicast group stands for all.
fn with_a_group(family: u8, group: IpAddr) -> Result<()> {
    let underlay = Underlay::without_offloads()?;
    let [one, two] = [1, 2].map(|number| underlay.address(family, number));
    let mut tunnel = KernelTunnel::new(VNI, two);
    tunnel.group = Some(group);
    let packets = underlay.record("")?;
    let pair = Pair::with(underlay, &tunnel, &format!("-o group={group}"))?;
    // It tells routers and switches of the underlay (RFC 7348 section 4.2).
    let joined = match group {
        IpAddr::V4(_) => format!("ip.src == {one} && igmp.maddr == {group}"),
        IpAddr::V6(_) => format!("icmpv6.mldr.mar.multicast_address == {group}"),
    };
    packets.wait_for(&joined, 1)?;
    let ends = pair.ends();
    ends.flood()?;
    ends.multicast()?;
    ends.talk()?;
    for to in [two, group] {
        let tunnel = Tunnel {
            from: one,
            to,
            vni: VNI,
        };
        let seen = tunnel.check(&packets)?;
        ensure!(seen.packets > 5, "{to}: {seen:?}");
    }
    // What is known goes to whom it is for.
    let address = if family == 4 { "ip" } else { "ipv6" };
    let echoes = format!("{address}.dst == {group} && icmp.type == 8");
    let flooded = packets.dissect(&echoes, &["frame.number"])?;
    ensure!(flooded.is_empty(), "{flooded:?}");
    let vteps = pair.node.rows("vtep list net")?;
    for (peer, origin) in [(group, "group"), (two, "learned")] {
        let row = vteps.iter().find(|row| row["address"] == peer.to_string());
        let row = row.with_context(|| format!("no {peer} in {vteps:?}"))?;
        ensure!(row["origin"] == origin, "{row}");
    }
    Ok(())
}

#[test]
fn a_multicast_group_of_ipv4() -> Result<()> {
    with_a_group(4, IpAddr::from([239, 1, 1, 2]))
}

#[test]
fn a_multicast_group_of_ipv6() -> Result<()> {
    with_a_group(6, IpAddr::from([0xff15, 0, 0, 0, 0, 0, 0, 0x4789]))
}
