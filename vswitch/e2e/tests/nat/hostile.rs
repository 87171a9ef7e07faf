//! Packets that nobody sends by mistake: none of them harms anybody.

use anyhow::Result;
use etherparse::PacketBuilder;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, ask, send_frames};

use crate::fixture::{Lab, PATIENCE, at};

/// The gateway's address on `net`.
const GATEWAY: [u8; 6] = [0x02, 0x42, 10, 20, 0, 1];
const CONTAINER: [u8; 6] = [0x02, 0x42, 10, 20, 0, 2];
const V6_CONTAINER: [u8; 16] = [0xfd, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const V6_OUTSIDE: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const V6_HOST: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A well-formed conversation's first packets, to be spoiled: IPv4 and IPv6; TCP, UDP, echo, and ICMP errors.
fn packets(v4: [[u8; 4]; 2], v6: [[u8; 16]; 2], port: u16) -> Result<Vec<Vec<u8>>> {
    let mut packets = Vec::new();
    let quoted = {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(v4[1], v4[0], 64);
        builder.udp(port, 5000).write(&mut packet, &[1; 32])?;
        packet
    };
    let quoted_v6 = {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv6(v6[1], v6[0], 64);
        builder.udp(port, 5000).write(&mut packet, &[1; 32])?;
        packet
    };
    let mut packet = |write: &dyn Fn(&mut Vec<u8>) -> Result<()>| -> Result<()> {
        let mut octets = Vec::new();
        write(&mut octets)?;
        packets.push(octets);
        Ok(())
    };
    let four = || PacketBuilder::ipv4(v4[0], v4[1], 64);
    let six = || PacketBuilder::ipv6(v6[0], v6[1], 64);
    packet(&|out| Ok(four().tcp(5000, port, 1, 1000).syn().write(out, &[])?))?;
    packet(&|out| Ok(six().tcp(5000, port, 1, 1000).syn().write(out, &[])?))?;
    packet(&|out| Ok(four().udp(5000, port).write(out, &[2; 64])?))?;
    packet(&|out| Ok(six().udp(5000, port).write(out, &[2; 64])?))?;
    packet(&|out| Ok(four().icmpv4_echo_request(7, 1).write(out, &[3; 64])?))?;
    packet(&|out| Ok(six().icmpv6_echo_request(7, 1).write(out, &[3; 64])?))?;
    packet(&|out| Ok(four().icmpv4_raw(3, 4, [0, 0, 2, 0]).write(out, &quoted)?))?;
    packet(&|out| {
        Ok(six()
            .icmpv6_raw(2, 0, [0, 0, 5, 0])
            .write(out, &quoted_v6)?)
    })?;
    // Errors about errors, and about other people's packets.
    packet(&|out| Ok(four().icmpv4_raw(3, 1, [0; 4]).write(out, &quoted_v6)?))?;
    packet(&|out| Ok(six().icmpv6_raw(1, 4, [0; 4]).write(out, &quoted)?))?;
    Ok(packets)
}

/// Frames with every octet of the headers spoiled in a few ways, cut at every length, and the fragments of
/// the same.
fn spoiled(destination: [u8; 6], source: [u8; 6], packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut frame = |packet: &[u8]| {
        let version = if packet.first().is_some_and(|octet| octet >> 4 == 6) {
            [0x86, 0xdd]
        } else {
            [0x08, 0x00]
        };
        let mut frame = [destination, source].concat();
        frame.extend(version);
        frame.extend(packet);
        frames.push(frame);
    };
    for packet in packets {
        frame(packet);
        for place in 0..packet.len().min(72) {
            for value in [0x00, 0x01, 0x7f, 0xff, packet[place] ^ 0x40] {
                let mut spoiled = packet.clone();
                spoiled[place] = value;
                frame(&spoiled);
                if packet[0] >> 4 == 4 {
                    // Of a header that is well-formed but for what is wrong with it.
                    fix_v4_checksum(&mut spoiled);
                    frame(&spoiled);
                }
            }
        }
        for length in (1..packet.len()).step_by(3) {
            frame(&packet[..length]);
        }
        if packet[0] >> 4 == 4 {
            // Overlapping fragments, the last one of a datagram too long, and one of 65535 octets.
            for flags_and_offset in [0x2000_u16, 0x2001, 0x2002, 0x0001, 0x3fff, 0x1fff, 0x9fff] {
                let mut fragment = packet.clone();
                fragment[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
                fix_v4_checksum(&mut fragment);
                frame(&fragment);
            }
        } else {
            for (next, rest) in [
                (44_u8, [17, 0, 0x00, 0x01, 0, 0, 0, 7]),
                (44, [17, 0, 0x00, 0x08, 0, 0, 0, 7]),
                (44, [17, 0, 0xff, 0xf9, 0, 0, 0, 7]),
                (0, [17, 255, 5, 2, 0, 0, 0, 0]),
                (43, [17, 0, 0, 1, 0, 0, 0, 0]),
                (60, [60, 0, 1, 4, 0, 0, 0, 0]),
                (51, [51, 255, 0, 0, 0, 0, 0, 0]),
            ] {
                let mut extended = packet.clone();
                extended[6] = next;
                extended.splice(40..40, rest);
                let length = u16::try_from(extended.len() - 40).unwrap_or(u16::MAX);
                extended[4..6].copy_from_slice(&length.to_be_bytes());
                frame(&extended);
            }
        }
    }
    frames
}

fn fix_v4_checksum(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let header = &packet[..20];
    let words = header
        .chunks_exact(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).unwrap_or(0);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn still_works(lab: &mut Lab, pid: Option<u32>) -> Result<()> {
    for family in [4, 6] {
        for transport in [Tcp, Udp] {
            for place in [lab.a(), lab.b()] {
                ask(&place, transport, at(lab.outside.address(family), 7))?;
            }
            let host = at(lab.outside.host_address(family), 8080);
            ask(lab.outside(), transport, host)?;
        }
    }
    assert!(lab.daemon.is_running()?);
    assert_eq!(lab.daemon.pid(), pid);
    let log = lab.daemon.log()?;
    assert!(!log.contains("panic"), "{log}");
    Ok(())
}

#[test]
fn malformed_packets_of_a_container_harm_nobody() -> Result<()> {
    // The container may send what it likes: nothing is stopped for its source.
    let mut lab = Lab::empty()?;
    lab.add_two("-o vswitch.anti-spoof=false")?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp")?;
    let (_outside, _inside) = (Echo::start(lab.outside(), 7)?, Echo::start(&lab.a(), 80)?);
    let pid = lab.daemon.pid();
    let mut old = Conversation::start(&lab.a(), at(lab.outside.address(4), 7))?;
    let to_outside = packets(
        [[10, 20, 0, 2], [192, 0, 2, 9]],
        [V6_CONTAINER, V6_OUTSIDE],
        7,
    )?;
    let turning_back = packets(
        [[10, 20, 0, 2], [192, 0, 2, 1]],
        [V6_CONTAINER, V6_HOST],
        8080,
    )?;
    for packets in [to_outside, turning_back] {
        let frames = spoiled(GATEWAY, CONTAINER, &packets);
        for some in frames.chunks(500) {
            send_frames(&lab.a(), "eth0", 1, some)?;
        }
        println!("{} frames", frames.len());
    }
    still_works(&mut lab, pid)?;
    old.goes_on(PATIENCE)?;
    println!("{}", lab.ctl("stats a")?);
    assert!(lab.daemon.drops("a", "bad_ip_header")? > 0);
    Ok(())
}

#[test]
fn malformed_packets_from_outside_harm_nobody() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp")?;
    let (_outside, _inside) = (Echo::start(lab.outside(), 7)?, Echo::start(&lab.a(), 80)?);
    let service = Echo::start(&lab.host.place(), 2222)?;
    let pid = lab.daemon.pid();
    let mut old = Conversation::start(&lab.a(), at(lab.outside.address(4), 7))?;
    let nic = lab.outside.nic_mac(&lab.host)?;
    // Whoever it is from: the switch does not look at outside's link-layer addresses.
    let source = [0x02, 0, 0, 0, 0, 9];
    let packets = packets(
        [[192, 0, 2, 9], [192, 0, 2, 1]],
        [V6_OUTSIDE, V6_HOST],
        8080,
    )?;
    let frames = spoiled(nic, source, &packets);
    for some in frames.chunks(500) {
        send_frames(lab.outside(), "lan0", 1, some)?;
    }
    println!("{} frames\n{}", frames.len(), lab.ctl("stats wan0")?);
    still_works(&mut lab, pid)?;
    old.goes_on(PATIENCE)?;
    for transport in [Tcp, Udp] {
        ask(
            lab.outside(),
            transport,
            at(lab.outside.host_address(4), 2222),
        )?;
    }
    drop(service);
    Ok(())
}
