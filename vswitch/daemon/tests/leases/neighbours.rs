//! Whether somebody has an address.

use std::net::Ipv4Addr;

use vswitch_packet::ethernet::EtherType;

use crate::lan::{HOLDER_MAC, Reply, Seen, What, address, arp_reply, eventually, ip, with_lan};

/// "2001:db8::7 is at HOLDER_MAC", to all nodes, with the checksum that belongs to it.
fn advertisement() -> Reply {
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
    frame.extend(HOLDER_MAC.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
    let own = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let all = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    frame.extend(own);
    frame.extend(all);
    let mut body = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    body.extend(own);
    body.extend([2, 1]);
    body.extend(HOLDER_MAC.0);
    let addresses = [own, all].concat();
    let pseudo = vswitch_packet::checksum::pseudo_header(&addresses, 58, 32);
    body[2..4].copy_from_slice(&pseudo.to_be_bytes());
    vswitch_packet::checksum::complete(&mut body, 2);
    frame.extend(body);
    Reply { tag: None, frame }
}

#[test]
fn addresses_that_nobody_has_are_free() {
    with_lan(
        |_| vec![],
        |host| {
            let addresses = vec![ip("192.0.2.7"), ip("2001:db8::7")];
            host.wait(host.leases.check_unused(host.place(None), addresses))
                .unwrap();
            assert_eq!(host.seen().len(), 6);
            eventually("the socket is closed", || host.is_deaf());
        },
    );
}

#[test]
fn who_has_an_address_is_named() {
    let tag = Some((0x8100, 7));
    let script = move |seen: &Seen| match seen.what {
        What::Arp { target, .. } => vec![arp_reply(target, HOLDER_MAC, tag)],
        _ => vec![],
    };
    with_lan(script, |host| {
        let place = host.place(Some((EtherType::VLAN, 7)));
        let check = host.leases.check_unused(place, vec![ip("192.0.2.7")]);
        assert_eq!(
            host.wait(check).unwrap_err().to_string(),
            "192.0.2.7 is used by 02:00:00:00:00:63 on eth0.7 already: choose another address"
        );
        // In another VLAN, it is free.
        let check = host
            .leases
            .check_unused(host.place(None), vec![ip("192.0.2.7")]);
        host.wait(check).unwrap();
    });
}

#[test]
fn who_has_an_ipv6_address_is_named() {
    let script = |seen: &Seen| match seen.what {
        What::Nd => vec![advertisement()],
        _ => vec![],
    };
    with_lan(script, |host| {
        let addresses = vec![ip("192.0.2.7"), ip("2001:db8::7")];
        let check = host.leases.check_unused(host.place(None), addresses);
        assert_eq!(
            host.wait(check).unwrap_err().to_string(),
            "2001:db8::7 is used by 02:00:00:00:00:63 on eth0 already: choose another address"
        );
    });
}

#[test]
fn a_gateway_answers_or_not() {
    let script = |seen: &Seen| match seen.what {
        What::Arp { target, .. } if target == address(254) => {
            vec![arp_reply(target, HOLDER_MAC, None)]
        }
        _ => vec![],
    };
    with_lan(script, |host| {
        let place = host.place(None);
        let is_answered =
            |source, target| host.wait(host.leases.is_answered(place, source, ip(target)));
        assert!(is_answered(None, "192.0.2.254"));
        assert!(is_answered(Some(ip("192.0.2.7")), "192.0.2.254"));
        assert!(!is_answered(None, "192.0.2.253"));
        assert!(!is_answered(None, "2001:db8::1"));
        let senders: Vec<Ipv4Addr> = host
            .seen()
            .iter()
            .filter_map(|seen| match seen.what {
                What::Arp { sender, .. } => Some(sender),
                _ => None,
            })
            .collect();
        assert_eq!(senders[..2], [Ipv4Addr::UNSPECIFIED, address(7)]);
    });
}
