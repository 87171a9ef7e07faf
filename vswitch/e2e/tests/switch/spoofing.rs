//! An endpoint sends from its own addresses only, unless the network allows more.

use anyhow::Result;
use etherparse::PacketBuilder;

use crate::fixture::Lab;
use crate::frames::{frame, mac};

const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x66];

fn with_ethernet(source: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [mac(3), source].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

fn ipv4(source: [u8; 4]) -> Result<Vec<u8>> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(source, [10, 20, 0, 3], 64);
    builder.udp(7, 4000).write(&mut packet, &[0x66; 40])?;
    Ok(with_ethernet(mac(2), 0x0800, &packet))
}

fn ipv6(last: u8) -> Result<Vec<u8>> {
    let address = |last| {
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfd, 0x20]);
        address[15] = last;
        address
    };
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6(address(last), address(3), 64);
    builder.udp(7, 4000).write(&mut packet, &[0x66; 40])?;
    Ok(with_ethernet(mac(2), 0x86dd, &packet))
}

/// An ARP reply that claims an address.
fn arp_claim(address: [u8; 4]) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 2];
    arp.extend(mac(2));
    arp.extend(address);
    arp.extend(mac(3));
    arp.extend([10, 20, 0, 3]);
    with_ethernet(mac(2), 0x0806, &arp)
}

#[test]
fn frames_from_anothers_addresses_are_dropped_and_counted() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b] = lab.listen(["b"])?;
    let (own4, own6, own_arp) = (ipv4([10, 20, 0, 2])?, ipv6(2)?, arp_claim([10, 20, 0, 2]));
    let spoofed_mac = frame(mac(3), OTHER, 1);
    let spoofed = [
        ipv4([10, 20, 0, 4])?,
        ipv4([192, 0, 2, 1])?,
        ipv6(4)?,
        arp_claim([10, 20, 0, 1]),
        arp_claim([10, 20, 0, 4]),
    ];
    lab.send("a", 1, std::slice::from_ref(&spoofed_mac))?;
    lab.send("a", 1, &spoofed)?;
    lab.send("a", 1, &[own4.clone(), own6.clone(), own_arp.clone()])?;
    for own in [&own4, &own6, &own_arp] {
        b.wait_for(own)?;
    }
    assert_eq!(b.count(&spoofed_mac)?, 0);
    for frame in &spoofed {
        assert_eq!(b.count(frame)?, 0, "{frame:02x?}");
    }
    assert_eq!(lab.daemon.drops("a", "spoofed_mac")?, 1);
    assert_eq!(lab.daemon.drops("a", "spoofed_address")?, 5);
    let table = lab.ctl("stats a")?;
    assert!(table.contains("spoofed_address=5"), "{table}");
    Ok(())
}

#[test]
fn a_network_may_allow_any_source() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.anti-spoof=false")?;
    let [b] = lab.listen(["b"])?;
    let frames = [
        frame(mac(3), OTHER, 1),
        ipv4([192, 0, 2, 1])?,
        ipv6(0x99)?,
        arp_claim([10, 20, 0, 99]),
    ];
    lab.send("a", 1, &frames)?;
    frames.iter().try_for_each(|frame| b.wait_for(frame))
}

#[test]
fn one_endpoint_may_be_allowed_any_source() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.ctl("add-sandbox router")?;
    lab.ctl("attach net router -o vswitch.anti-spoof=false")?;
    let [b] = lab.listen(["b"])?;
    let spoofed = frame(mac(3), OTHER, 1);
    lab.send("a", 1, std::slice::from_ref(&spoofed))?;
    lab.flush("a", 2, &[&b])?;
    assert_eq!(b.count(&spoofed)?, 0);
    lab.send("router", 1, std::slice::from_ref(&spoofed))?;
    b.wait_for(&spoofed)
}

#[test]
fn a_router_advertisement_from_an_endpoint_is_dropped() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b] = lab.listen(["b"])?;
    let link_local = lab
        .host
        .run_in("a", "ip -6 -o address show dev eth0 scope link")?;
    println!("{link_local}");
    // From fe80::42:aff:fe14:2, the link-local address of 02:42:0a:14:00:02, to all nodes.
    let mut source = [0; 16];
    source[0] = 0xfe;
    source[1] = 0x80;
    source[8..].copy_from_slice(&[0, 0x42, 0x0a, 0xff, 0xfe, 0x14, 0, 2]);
    let mut all_nodes = [0; 16];
    all_nodes[0] = 0xff;
    all_nodes[1] = 2;
    all_nodes[15] = 1;
    let mut packet = Vec::new();
    let advertisement = etherparse::Icmpv6Type::Unknown {
        type_u8: 134,
        code_u8: 0,
        bytes5to8: [64, 0, 0x07, 0x08],
    };
    PacketBuilder::ipv6(source, all_nodes, 255)
        .icmpv6(advertisement)
        .write(&mut packet, &[0; 8])?;
    let mut frame = [[0x33, 0x33, 0, 0, 0, 1], mac(2)].concat();
    frame.extend([0x86, 0xdd]);
    frame.extend(packet);
    lab.send("a", 1, std::slice::from_ref(&frame))?;
    lab.flush("a", 2, &[&b])?;
    assert_eq!(b.count(&frame)?, 0);
    assert_eq!(lab.daemon.drops("a", "rogue_router")?, 1);
    Ok(())
}
