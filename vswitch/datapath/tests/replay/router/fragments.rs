//! Fragments: made by the router, passed on by it, and in any order through translation.

use vswitch_datapath::DropReason::TooBig;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, VnetHeader};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{Packet, tcp, udp};
use crate::outside::{NIC, PEER, UPLINK, bench};
use crate::station::{A, ALICE, GATEWAY, Station};
use crate::tap_frame::TapFrame;
use crate::wire;

const AWAY: Station = PEER.with_mac(GATEWAY.mac);

fn narrow(mtu: u16) -> Bench {
    let mut bench = bench();
    bench.edit_port(UPLINK, |port| port.mtu = mtu);
    bench
}

/// Sends `frame` from Alice's port; what comes out at the uplink, all counted.
fn out(bench: &mut Bench, frame: &TapFrame) -> Vec<TapFrame> {
    bench.enter(A, frame);
    let sent = bench.sent_at(UPLINK);
    let segmented = u64::from(frame.is_super());
    bench.assert_counted([
        on(A).received([frame]),
        on(UPLINK).sent(&sent).segmented(segmented),
    ]);
    sent
}

/// Of an IPv4 frame: offset in octets, more fragments, and the data.
fn piece(frame: &TapFrame) -> (usize, bool, &[u8]) {
    assert_eq!(
        frame.header,
        VnetHeader::default(),
        "nothing is left to be done"
    );
    let packet = &frame.bytes[14..];
    let header_len = usize::from(packet[0] & 0x0f) * 4;
    assert_eq!(wire::sum(&packet[..header_len]), 0xffff);
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    assert_eq!(total, packet.len());
    let field = u16::from_be_bytes([packet[6], packet[7]]);
    assert_eq!(field & 0xc000, 0);
    (
        usize::from(field & 0x1fff) * 8,
        field & 0x2000 != 0,
        &packet[header_len..],
    )
}

/// The packet that `fragments` are of, which are in order and as few as `mtu` allows.
fn whole(fragments: &[TapFrame], mtu: usize) -> Vec<u8> {
    let mut data = vec![];
    let count = fragments.len();
    for (place, fragment) in fragments.iter().enumerate() {
        let (offset, more, octets) = piece(fragment);
        assert_eq!((offset, more), (data.len(), place + 1 < count));
        assert!(fragment.bytes.len() - 14 <= mtu);
        assert!(
            !more || fragment.bytes.len() - 14 + 8 > mtu,
            "shorter than it may be"
        );
        assert_eq!(
            fragment.bytes[18..20],
            fragments[0].bytes[18..20],
            "identification"
        );
        data.extend_from_slice(octets);
    }
    let mut packet = [&fragments[0].bytes[..34], &data].concat();
    packet[20..22].fill(0);
    let len = (packet.len() - 14) as u16;
    packet[16..18].copy_from_slice(&len.to_be_bytes());
    TapFrame::plain(packet).hop_limit(63).bytes
}

#[test]
fn what_may_be_fragmented_is() {
    for mtu in [576, 1000, 1400, 1499] {
        for form in [Packet::complete, Packet::offloaded] {
            let mut bench = narrow(mtu);
            let frame = form(&udp(V4, ALICE, AWAY, 1472).fragmentable());
            let fragments = out(&mut bench, &frame);
            let seen = udp(V4, NIC, PEER, 1472)
                .fragmentable()
                .complete()
                .hop_limit(63);
            assert_eq!(whole(&fragments, usize::from(mtu)), seen.bytes, "MTU {mtu}");
        }
    }
    let mut bench = narrow(1400);
    let forbidden = udp(V4, ALICE, AWAY, 1472).complete();
    bench.rejects(A, &forbidden, TooBig);
    bench.rejects(
        A,
        &udp(V6, ALICE, AWAY, 1452).fragmentable().complete(),
        TooBig,
    );
}

#[test]
fn a_super_frame_is_segmented_first() {
    for capabilities in [Capabilities::ALL, Capabilities::NONE] {
        for (packet, seen) in [
            (udp(V4, ALICE, AWAY, 5000), udp(V4, NIC, PEER, 5000)),
            (tcp(V4, ALICE, AWAY, 5000), tcp(V4, NIC, PEER, 5000)),
        ] {
            let mut bench = narrow(1000);
            bench.edit_port(UPLINK, |port| port.capabilities = capabilities);
            let fragments = out(&mut bench, &packet.fragmentable().super_frame(1200));
            // Four long segments in two pieces each, and a short one.
            assert_eq!(fragments.len(), 9);
            let seen = seen.fragmentable().super_frame(1200).hop_limit(63);
            let mut pieces = fragments.chunks(2);
            for segment in wire::packets(&seen) {
                assert_eq!(whole(pieces.next().unwrap(), 1000), segment);
            }
        }
    }
}

#[test]
fn options_are_repeated_as_they_say() {
    // Record route, only in the first; router alert, in all.
    let options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0];
    let mut bench = narrow(600);
    let inner = udp(V4, ALICE, AWAY, 1000).complete();
    let frame = |from, to, inner: &TapFrame| {
        crate::crafted::ip(
            V4,
            from,
            to,
            crate::crafted::UDP,
            &inner.bytes[34..],
            |header| {
                (header.identification, header.dont_fragment) = (7, false);
                header.options = etherparse::Ipv4Options::try_from(&options[..]).unwrap();
                header.set_payload_len(inner.bytes.len() - 34).unwrap();
            },
        )
    };
    let fragments = out(&mut bench, &frame(ALICE, AWAY, &inner));
    assert_eq!(fragments.len(), 2);
    assert_eq!(fragments[0].bytes[34..46], options);
    assert_eq!(fragments[1].bytes[34..38], [148, 4, 0, 0]);
    let (_, _, first) = piece(&fragments[0]);
    let (offset, more, rest) = piece(&fragments[1]);
    assert_eq!((first.len(), offset, more), (568, 568, false));
    let seen = udp(V4, NIC, PEER, 1000).complete();
    assert_eq!([first, rest].concat(), seen.bytes[34..]);
}

/// The fragments that a container's kernel makes of `frame`.
pub(super) fn fragments_of(frame: &TapFrame, mtu: u16) -> Vec<TapFrame> {
    let data = &frame.bytes[34..];
    let size = usize::from((mtu - 20) & !7);
    let count = data.len().div_ceil(size);
    data.chunks(size)
        .enumerate()
        .map(|(place, data)| {
            let mut bytes = [&frame.bytes[..34], data].concat();
            let more = if place + 1 < count { 0x2000 } else { 0 };
            let field = more | (place * size / 8) as u16;
            bytes[20..22].copy_from_slice(&field.to_be_bytes());
            bytes[16..18].copy_from_slice(&((20 + data.len()) as u16).to_be_bytes());
            let hops = bytes[22];
            TapFrame::plain(bytes).hop_limit(hops)
        })
        .collect()
}

#[test]
fn a_fragment_is_fragmented_further() {
    let mut bench = narrow(600);
    let frame = udp(V4, ALICE, AWAY, 2800).fragmentable().complete();
    let mut sent = vec![];
    for fragment in fragments_of(&frame, 1500) {
        sent.extend(out(&mut bench, &fragment));
    }
    let mut data = vec![];
    for (place, fragment) in sent.iter().enumerate() {
        let (offset, more, octets) = piece(fragment);
        assert_eq!((offset, more), (data.len(), place + 1 < sent.len()));
        data.extend_from_slice(octets);
    }
    let seen = udp(V4, NIC, PEER, 2800).fragmentable().complete();
    assert_eq!(data, seen.bytes[34..]);
}

#[test]
fn fragments_cross_in_any_order() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 1, 0],
        [2, 0, 1],
    ] {
        let mut bench = bench();
        let frame = udp(V4, ALICE, AWAY, 4000).fragmentable().complete();
        let fragments = fragments_of(&frame, 1500);
        let seen = udp(V4, NIC, PEER, 4000)
            .fragmentable()
            .complete()
            .hop_limit(63);
        let seen = fragments_of(&seen, 1500);
        for place in order {
            bench.enter(A, &fragments[place]);
            let mut sent = bench.sent_at(UPLINK);
            let first_came =
                order.iter().position(|&p| p == 0) <= order.iter().position(|&p| p == place);
            let expected: Vec<_> = if place == 0 {
                // Itself, and then those that waited, as they came.
                let waited = order.iter().take_while(|&&p| p != 0);
                [&0].into_iter()
                    .chain(waited)
                    .map(|&p| seen[p].clone())
                    .collect()
            } else if first_came {
                vec![seen[place].clone()]
            } else {
                vec![]
            };
            sent.sort_by_key(|frame| expected.iter().position(|e| e == frame));
            assert_eq!(sent, expected, "{order:?}, {place}");
            // What waits is received once.
            bench.assert_counted([
                on(A)
                    .received([&fragments[place]])
                    .held(u64::from(!first_came)),
                on(UPLINK).sent(&sent),
            ]);
        }
    }
}

#[test]
fn answers_in_fragments_come_back() {
    let mut bench = bench();
    let question = udp(V4, ALICE, AWAY, 9).complete();
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.turns(A, &question, &[(UPLINK, &seen)]);
    let answer = udp(V4, PEER, NIC, 2800)
        .ports(5001, 40000)
        .fragmentable()
        .complete();
    let heard = udp(V4, AWAY, ALICE, 2800)
        .ports(5001, 40000)
        .fragmentable()
        .complete();
    let (answer, heard) = (
        fragments_of(&answer, 1500),
        fragments_of(&heard.hop_limit(63), 1500),
    );
    bench.enter(UPLINK, &answer[1]);
    bench.assert_sent([]);
    bench.assert_counted([on(UPLINK).received([&answer[1]]).held(1)]);
    bench.enter(UPLINK, &answer[0]);
    bench.assert_sent([(A, &heard[0]), (A, &heard[1])]);
    bench.assert_counted([on(UPLINK).received([&answer[0]]), on(A).sent(&heard)]);
}
