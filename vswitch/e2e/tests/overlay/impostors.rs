//! Those who say that they are somebody else.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use etherparse::PacketBuilder;
use vswitch_e2e::{Capture, Conversation, Echo, Place, send_frames};

use crate::fixture::{BROADCAST, PATIENCE, VNI, at, frame, inside, mac, mac_text, ping};
use crate::handmade::datagram;
use crate::hostile::{A, B, Lab, REMOTE};

/// An ARP message: `kind` 1 asks, 2 answers.
fn arp(
    destination: [u8; 6],
    kind: u8,
    sender: ([u8; 6], [u8; 4]),
    target: ([u8; 6], [u8; 4]),
) -> Vec<u8> {
    let mut frame = [destination, sender.0].concat();
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, kind]);
    frame.extend(sender.0);
    frame.extend(sender.1);
    frame.extend(target.0);
    frame.extend(target.1);
    frame
}

/// What a container believes the MAC address of an IPv4 neighbour to be.
fn believed(place: &Place, address: IpAddr) -> Result<String> {
    let ip = place.program("ip");
    let shown = ip
        .args(["neigh", "show", "dev", "eth0", &address.to_string()])
        .output()?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "lladdr");
    Ok(words.next().unwrap_or_default().to_owned())
}

fn octets(mac: &str) -> Result<[u8; 6]> {
    let mut octets = [0; 6];
    for (octet, digits) in octets.iter_mut().zip(mac.split(':')) {
        *octet = u8::from_str_radix(digits, 16)?;
    }
    Ok(octets)
}

#[test]
fn a_peer_cannot_be_a_local_container_or_the_gateway() -> Result<()> {
    let lab = Lab::new("")?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let _server = Echo::start(&lab.node.container(B), 7)?;
    let mut open = Conversation::start(&lab.a(), at(inside(4, B), 7))?;
    ping(&lab.a(), inside(4, 1))?;
    let before = [1, B].map(|last| believed(&lab.a(), inside(4, last)));
    let [gateway, neighbour] = before;
    let (gateway, neighbour) = (gateway?, neighbour?);
    ensure!(neighbour == mac_text(B) && !gateway.is_empty());
    let router = octets(&gateway)?;

    let evil = mac(REMOTE);
    let victim = (mac(A), [10, 20, 0, A]);
    let mut claims = Vec::new();
    for claimed in [[10, 20, 0, 1], [10, 20, 0, B]] {
        for destination in [BROADCAST, mac(A)] {
            claims.push(arp(destination, 2, (evil, claimed), victim));
            claims.push(arp(destination, 2, (evil, claimed), (evil, claimed)));
            claims.push(arp(destination, 1, (evil, claimed), victim));
        }
    }
    for source in [mac(B), mac(A), router] {
        claims.push(frame(BROADCAST, source, 7));
        claims.push(frame(mac(A), source, 8));
        claims.push(arp(
            BROADCAST,
            1,
            (source, [10, 20, 0, 99]),
            ([0; 6], [10, 20, 0, 98]),
        ));
    }
    for _ in 0..3 {
        for claim in &claims {
            lab.peer.send(lab.host(), VNI, claim)?;
        }
        let last = frame(mac(A), mac(REMOTE), 9);
        lab.peer.send(lab.host(), VNI, &last)?;
        arriving.wait_for(&last)?;
        open.goes_on(PATIENCE)?;
        ping(&lab.a(), inside(4, 1))?;
        ping(&lab.a(), inside(6, 1))?;
    }
    ensure!(believed(&lab.a(), inside(4, 1))? == gateway);
    ensure!(believed(&lab.a(), inside(4, B))? == neighbour);
    let fdb = lab.node.rows("fdb net")?;
    for own in [mac_text(A), mac_text(B), gateway] {
        let rows: Vec<_> = fdb.iter().filter(|row| row["mac"] == own).collect();
        ensure!(rows.len() == 1, "{own}: {fdb:?}");
        let name = rows[0]["port"]["name"].as_str().unwrap_or_default();
        ensure!(!name.starts_with("vtep-"), "{own}: {fdb:?}");
    }
    open.exchange(1 << 20)
}

#[test]
fn a_container_cannot_speak_as_a_peer() -> Result<()> {
    for options in [
        "",
        "-o vswitch.anti-spoof=false",
        "-o vswitch.anti-spoof=false -o learn-peers=true",
    ] {
        let lab = Lab::new(options)?;
        let arriving = Capture::start(&lab.node.container(B), "eth0")?;
        ping(&lab.a(), inside(4, 1))?;
        let gateway = believed(&lab.a(), inside(4, 1))?;
        let router = octets(&gateway)?;
        let evil = frame(BROADCAST, mac(99), 1);
        // With its own address, and with the peer's.
        for source in [[10, 20, 0, A], [192, 0, 2, 2]] {
            let mut packet = [router, mac(A)].concat();
            packet.extend([0x08, 0x00]);
            PacketBuilder::ipv4(source, [192, 0, 2, 1], 64)
                .udp(60000, 4789)
                .write(&mut packet, &datagram(VNI, &evil))?;
            send_frames(&lab.a(), "eth0", 3, &[packet])?;
        }
        let last = frame(BROADCAST, mac(A), 2);
        send_frames(&lab.a(), "eth0", 1, std::slice::from_ref(&last))?;
        arriving.wait_for(&last)?;
        // What the host's own kernel had to carry may come a little later.
        let well_meant = frame(BROADCAST, mac(REMOTE), 3);
        lab.peer.send(lab.host(), VNI, &well_meant)?;
        arriving.wait_for(&well_meant)?;
        ensure!(arriving.count(&evil)? == 0, "with {options:?}");
        let fdb = lab.node.ctl("fdb net")?;
        ensure!(!fdb.contains(&mac_text(99)), "with {options:?}: {fdb}");
    }
    Ok(())
}
