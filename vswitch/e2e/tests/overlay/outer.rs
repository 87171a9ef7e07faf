//! What the outer header takes over from the packet in the tunnel, and the other way round.

use anyhow::{Result, ensure};
use etherparse::PacketBuilder;
use vswitch_e2e::{Capture, eventually};

use crate::fixture::{BROADCAST, PATIENCE, VNI, frame, inside, mac, mac_text};
use crate::hostile::{A, Lab, REMOTE};

/// DSCP 46 (RFC 3246).
const EXPEDITED: u8 = 46 << 2;

/// Echo requests with these DSCP and ECN bits, and of each the outer TTL, DSCP and ECN.
fn outer_of(options: &str, tos: u8) -> Result<[u8; 3]> {
    let lab = Lab::new(options)?;
    let packets = lab.underlay.record("udp port 4789")?;
    let (to, mac) = (inside(4, REMOTE), mac_text(REMOTE));
    let neighbour = format!("ip neigh replace {to} lladdr {mac} dev eth0 nud permanent");
    lab.node.host.run_in("c10", &neighbour)?;
    let ping = lab.a().program("ping");
    // Nobody answers.
    ping.args(["-c", "1", "-W", "1", "-Q", &tos.to_string()])
        .arg(to.to_string())
        .run()?;
    packets.wait_for("icmp.type == 8", 1)?;
    let fields = ["ip.ttl", "ip.dsfield.dscp", "ip.dsfield.ecn"];
    let rows = packets.dissect("icmp.type == 8", &fields)?;
    let mut outer = [0; 3];
    for (number, field) in outer.iter_mut().zip(&rows[0]) {
        ensure!(field.len() == 2, "not one packet in another: {rows:?}");
        *number = field[0].parse()?;
    }
    Ok(outer)
}

#[test]
fn ttl_and_dscp_are_as_asked_and_ecn_as_inside() -> Result<()> {
    // RFC 6040 section 4.1: ECN is taken over; DSCP is not (RFC 2983), unless one asks for it.
    assert_eq!(outer_of("", EXPEDITED | 2)?, [64, 0, 2]);
    assert_eq!(outer_of("-o dscp=inherit", EXPEDITED | 1)?, [64, 46, 1]);
    assert_eq!(outer_of("-o dscp=8 -o ttl=5", EXPEDITED)?, [5, 8, 0]);
    Ok(())
}

#[test]
fn congestion_in_the_underlay_is_told_or_the_packet_is_lost() -> Result<()> {
    let lab = Lab::new("")?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let packet = |ecn: u8, mark: u8| -> Result<Vec<u8>> {
        let mut frame = [mac(A), mac(REMOTE)].concat();
        frame.extend([0x08, 0x00]);
        PacketBuilder::ip(etherparse::IpHeaders::Ipv4(
            etherparse::Ipv4Header {
                ecn: etherparse::IpEcn::try_new(ecn)?,
                ..etherparse::Ipv4Header::new(
                    0,
                    64,
                    etherparse::ip_number::UDP,
                    [10, 20, 0, REMOTE],
                    [10, 20, 0, A],
                )?
            },
            Default::default(),
        ))
        .udp(7, 9)
        .write(&mut frame, &[mark; 64])?;
        Ok(frame)
    };
    // RFC 6040 section 4.2: the mark goes in where the transport understands it.
    lab.peer.mark(3)?;
    for ecn in [1, 2, 3] {
        lab.peer.send(lab.host(), VNI, &packet(ecn, ecn)?)?;
        arriving.wait_for(&packet(3, ecn)?)?;
    }
    ensure!(lab.drops("congestion_marked")? == 0);
    lab.peer.send(lab.host(), VNI, &packet(0, 0)?)?;
    eventually("the packet is dropped", PATIENCE, || {
        Ok(lab.drops("congestion_marked")? == 1)
    })?;
    // Without the mark it passes; and the outer DSCP stays outside.
    lab.peer.mark(EXPEDITED | 2)?;
    lab.peer.send(lab.host(), VNI, &packet(0, 4)?)?;
    arriving.wait_for(&packet(0, 4)?)?;
    let last = frame(BROADCAST, mac(REMOTE), 5);
    lab.peer.send(lab.host(), VNI, &last)?;
    arriving.wait_for(&last)?;
    ensure!(arriving.count(&packet(0, 0)?)? == 0);
    Ok(())
}
