//! Trains: what waits for the end of a burst, with whom it leaves, and what it must not overtake.

use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{Packet, UDP, echo, everybody, ip, tcp, udp};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D};
use crate::tap_frame::TapFrame;
use crate::wire::{self, assert_same_stream};

/// Four ports whose stations are known.
pub(crate) fn bench() -> Bench {
    let mut bench = Bench::new(4);
    bench.learn(&[A, B, C, D]);
    bench
}

/// `count` datagrams of a flow, each with its number in front.
pub(crate) fn numbered(packet: &Packet, count: u32) -> Vec<TapFrame> {
    let number = |n: u32| {
        let mut data = packet.payload.clone();
        data[..4].copy_from_slice(&n.to_be_bytes());
        packet.clone().data(data).offloaded()
    };
    (0..count).map(number).collect()
}

/// Consecutive segments of one connection.
pub(crate) fn segments(version: Version, len: usize, count: u32) -> Vec<Packet> {
    let next = |n: u32| {
        let from = |tcp: &mut etherparse::TcpHeader| {
            tcp.sequence_number = tcp.sequence_number.wrapping_add(n * len as u32);
        };
        tcp(version, ALICE, BOB, len).tcp_header(from)
    };
    (0..count).map(next).collect()
}

/// What came out at B is one frame that stands for `frames`.
#[track_caller]
fn assert_one_train(bench: &mut Bench, frames: &[TapFrame]) -> TapFrame {
    let sent = bench.sent_at(B);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_same_stream(&sent, frames);
    let count = frames.len() as u64;
    bench.assert_counted([on(A).received(frames), on(B).sent(&sent).coalesced(count)]);
    sent.into_iter().next().unwrap()
}

#[test]
fn datagrams_of_a_flow_leave_as_one_super_frame() {
    for version in [V4, V6] {
        let mut bench = bench();
        let frames = numbered(&udp(version, ALICE, BOB, 300), 20);
        bench.burst(frames.iter().map(|frame| (A, frame)));
        let train = assert_one_train(&mut bench, &frames);
        assert_eq!((train.header.gso_type, train.header.gso_size), (5, 300));
        // A shorter one ends it.
        let mut frames = numbered(&udp(version, ALICE, BOB, 300), 5);
        frames.push(udp(version, ALICE, BOB, 10).offloaded());
        bench.burst(frames.iter().map(|frame| (A, frame)));
        assert_one_train(&mut bench, &frames);
    }
}

#[test]
fn segments_of_a_connection_leave_as_one_super_frame() {
    for version in [V4, V6] {
        let mut bench = bench();
        let frames: Vec<_> = segments(version, 1000, 12)
            .iter()
            .map(Packet::offloaded)
            .collect();
        bench.burst(frames.iter().map(|frame| (A, frame)));
        let train = assert_one_train(&mut bench, &frames);
        assert_eq!(train.header.gso_size, 1000);
        assert_eq!(train.header.gso_type, if version == V4 { 1 } else { 4 });
    }
}

#[test]
fn what_a_nic_has_verified_is_joined_and_what_nobody_has_is_not() {
    let mut bench = bench();
    let complete = udp(V4, ALICE, BOB, 300).complete();
    let frames = vec![complete.clone().verified(); 3];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    assert_one_train(&mut bench, &frames);

    let frames = vec![complete; 3];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    bench.assert_sent(frames.iter().map(|frame| (B, frame)));
    bench.assert_counted([on(A).received(&frames), on(B).sent(&frames)]);
}

#[test]
fn one_frame_is_no_train() {
    let mut bench = bench();
    bench.carries(A, &udp(V4, ALICE, BOB, 300).offloaded(), &[B]);
    bench.carries(A, &tcp(V6, ALICE, BOB, 300).offloaded(), &[B]);
    bench.carries(A, &udp(V6, ALICE, BOB, 300).complete().verified(), &[B]);
    // Not even its padding is lost.
    let mut padded = udp(V4, ALICE, BOB, 4).offloaded();
    padded.bytes.resize(60, 0xee);
    bench.carries(A, &padded, &[B]);
}

#[test]
fn the_end_of_the_burst_ends_the_wait() {
    let mut bench = bench();
    let frame = udp(V4, ALICE, BOB, 300).offloaded();
    bench.burst([(A, &frame)]);
    bench.burst([(A, &frame)]);
    bench.assert_sent([(B, &frame), (B, &frame)]);
    bench.assert_counted([
        on(A).received([&frame, &frame]),
        on(B).sent([&frame, &frame]),
    ]);
}

#[test]
fn a_train_has_at_most_64_datagrams() {
    let mut bench = bench();
    let frames = numbered(&udp(V4, ALICE, BOB, 20), 64);
    bench.burst(frames.iter().map(|frame| (A, frame)));
    assert_one_train(&mut bench, &frames);
}

#[test]
fn a_train_is_at_most_65535_octets() {
    let mut bench = bench();
    for port in [A, B] {
        bench.edit_port(port, |port| port.mtu = 9000);
    }
    let frames = numbered(&udp(V4, ALICE, BOB, 8900), 10);
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(B);
    assert_same_stream(&sent, &frames);
    assert_eq!(
        sent.iter().map(TapFrame::segments).collect::<Vec<_>>(),
        [7, 3]
    );
    bench.assert_counted([on(A).received(&frames), on(B).sent(&sent).coalesced(10)]);
}

#[test]
fn what_pushes_is_not_delayed() {
    // Frames wait until the end of the burst, unless PSH is set: then what is behind them has
    // left after them.
    let mut bench = bench();
    let mut packets = segments(V4, 500, 3);
    packets[2] = packets[2].clone().tcp_header(|tcp| tcp.psh = true);
    let frames: Vec<_> = packets.iter().map(Packet::offloaded).collect();
    let other = udp(V4, ALICE, CAROL, 500).offloaded();
    let alone = tcp(V4, ALICE, BOB, 500)
        .ports(1, 2)
        .tcp_header(|tcp| tcp.psh = true)
        .offloaded();

    bench.burst([
        (A, &other),
        (A, &frames[0]),
        (A, &frames[1]),
        (A, &frames[2]),
        (A, &alone),
    ]);
    let sent = bench.sent();
    let ports: Vec<_> = sent.iter().map(|(port, _)| *port).collect();
    assert_eq!(ports, [B, B, C], "the datagram waited longest");
    let to_bob: Vec<_> = wire::at(B, &sent).cloned().collect();
    assert_same_stream(&to_bob[..1], &frames);
    assert_eq!(to_bob[1], alone);
    bench.assert_counted([
        on(A).received(&frames).received([&other, &alone]),
        on(B).sent(&to_bob).coalesced(3),
        on(C).sent([&other]),
    ]);
}

#[test]
fn flows_have_trains_of_their_own() {
    let mut bench = bench();
    let flows = [
        udp(V4, ALICE, BOB, 100),
        udp(V4, ALICE, BOB, 100).ports(40001, 5001),
        udp(V6, ALICE, BOB, 100),
        udp(V4, ALICE, CAROL, 100),
    ];
    let flows = flows.map(|packet| numbered(&packet, 8));
    let mixed: Vec<_> = (0..8)
        .flat_map(|n| flows.iter().map(move |flow| (A, &flow[n])))
        .collect();
    bench.burst(mixed.iter().copied());
    let sent = bench.sent();
    assert_eq!(
        sent.iter().map(|(port, _)| *port).collect::<Vec<_>>(),
        [B, B, B, C]
    );
    for ((_, train), flow) in sent.iter().zip(&flows) {
        assert_same_stream([train], flow);
    }
    bench.assert_counted([
        on(A).received(mixed.iter().map(|(_, frame)| *frame)),
        on(B).sent(wire::at(B, &sent)).coalesced(24),
        on(C).sent(wire::at(C, &sent)).coalesced(8),
    ]);
}

#[test]
fn the_same_flow_from_two_ports_is_not_mixed_up() {
    let mut bench = bench();
    let from_a = udp(V4, ALICE, BOB, 100).offloaded();
    let from_c = udp(V4, ALICE.with_mac(CAROL.mac), BOB, 100).offloaded();
    let frames = [&from_a, &from_a, &from_c, &from_c, &from_a];
    bench.burst([
        (A, frames[0]),
        (A, frames[1]),
        (C, frames[2]),
        (C, frames[3]),
        (A, frames[4]),
    ]);
    let sent = bench.sent_at(B);
    assert_same_stream(&sent, frames);
    assert_eq!(
        sent.iter().map(TapFrame::segments).collect::<Vec<_>>(),
        [2, 2, 1]
    );
    bench.assert_counted([
        on(A).received([&from_a; 3]),
        on(C).received([&from_c; 2]),
        on(B).sent(&sent).coalesced(4),
    ]);
}

/// A fragment of a datagram of the same flow; the first has its ports.
fn fragment(version: Version, offset: u16, more: bool) -> TapFrame {
    let datagram = udp(version, ALICE, BOB, 64).complete();
    let header = if version == V4 { 34 } else { 54 };
    let piece = &datagram.bytes[header..header + 32];
    match version {
        V4 => ip(V4, ALICE, BOB, UDP, piece, |header| {
            header.dont_fragment = false;
            header.more_fragments = more;
            header.fragment_offset = (offset / 8).try_into().unwrap();
        }),
        V6 => {
            let [a, b] = (offset | u16::from(more)).to_be_bytes();
            ip(
                V6,
                ALICE,
                BOB,
                44,
                &[&[UDP, 0, a, b, 0, 0, 0, 1], piece].concat(),
                |_| (),
            )
        }
    }
}

#[test]
fn nothing_of_its_protocol_overtakes_a_train() {
    for version in [V4, V6] {
        let alone = [
            fragment(version, 0, true),
            fragment(version, 32, false),
            // Not a candidate: its sums are nobody's, it has no data, it may be fragmented, it
            // is a super-frame already.
            udp(version, ALICE, BOB, 300).complete(),
            udp(version, ALICE, BOB, 0).offloaded(),
            udp(version, ALICE, BOB, 300).fragmentable().complete(),
            udp(version, ALICE, BOB, 900).super_frame(300),
            udp(version, ALICE, BOB, 300)
                .offloaded()
                .patched(0, &BOB.mac.0)
                .tagged(0),
            // Longer than the train's first.
            udp(version, ALICE, BOB, 301).offloaded(),
        ];
        for frame in &alone {
            let mut bench = bench();
            let train = numbered(&udp(version, ALICE, BOB, 300), 5);
            let frames: Vec<_> = train.iter().chain([frame]).chain(&train).cloned().collect();
            bench.burst(frames.iter().map(|frame| (A, frame)));
            let sent = bench.sent_at(B);
            assert_same_stream(&sent, &frames);
            let joined = sent.iter().filter(|sent| sent.is_super() && *sent != frame);
            let joined = joined.map(TapFrame::segments).sum();
            assert!(joined >= 10, "{frame:?}");
            bench.assert_counted([on(A).received(&frames), on(B).sent(&sent).coalesced(joined)]);
        }
    }
}

#[test]
fn no_fragment_overtakes_a_train_whatever_its_piece_begins_with() {
    // The later piece names the header behind its fragment header: destination options, not UDP.
    let mut bench = bench();
    let train = numbered(&udp(V6, ALICE, BOB, 300), 3);
    let piece = ip(
        V6,
        ALICE,
        BOB,
        44,
        &[&[60, 0, 0, 8, 0, 0, 0, 1][..], &[0; 32]].concat(),
        |_| (),
    );
    let frames: Vec<_> = train.iter().chain([&piece]).cloned().collect();
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(B);
    assert_same_stream(&sent, &frames);
    bench.assert_counted([on(A).received(&frames), on(B).sent(&sent).coalesced(3)]);
}

#[test]
fn segments_that_cannot_be_joined_do_not_overtake() {
    for version in [V4, V6] {
        for change in [
            |tcp: &mut etherparse::TcpHeader| tcp.fin = true,
            |tcp: &mut etherparse::TcpHeader| tcp.rst = true,
            |tcp: &mut etherparse::TcpHeader| tcp.urg = true,
            |tcp: &mut etherparse::TcpHeader| tcp.cwr = true,
            |tcp: &mut etherparse::TcpHeader| tcp.window_size += 1,
            |tcp: &mut etherparse::TcpHeader| tcp.acknowledgment_number += 1,
            |tcp: &mut etherparse::TcpHeader| tcp.sequence_number ^= 0x1000,
            |tcp: &mut etherparse::TcpHeader| tcp.set_options_raw(&[]).unwrap(),
            |tcp: &mut etherparse::TcpHeader| tcp.psh = true,
        ] {
            let mut bench = bench();
            let mut packets = segments(version, 200, 6);
            packets[3] = packets[3].clone().tcp_header(change);
            let frames: Vec<_> = packets.iter().map(Packet::offloaded).collect();
            bench.burst(frames.iter().map(|frame| (A, frame)));
            let sent = bench.sent_at(B);
            assert_same_stream(&sent, &frames);
            let joined = sent
                .iter()
                .filter(|s| s.is_super())
                .map(TapFrame::segments)
                .sum();
            assert!(joined >= 5);
            bench.assert_counted([on(A).received(&frames), on(B).sent(&sent).coalesced(joined)]);
        }
    }
}

#[test]
fn a_flooded_frame_lets_all_trains_go_first() {
    let mut bench = bench();
    let frames = numbered(&udp(V4, ALICE, BOB, 100), 3);
    let flooded = udp(V4, ALICE, everybody(ALICE), 100).offloaded();
    bench.burst(frames.iter().chain([&flooded]).map(|frame| (A, frame)));
    let sent = bench.sent();
    assert_eq!(
        sent.iter().map(|(port, _)| *port).collect::<Vec<_>>(),
        [B, B, C, D]
    );
    assert_same_stream(wire::at(B, &sent), frames.iter().chain([&flooded]));
    bench.assert_counted([
        on(A).received(frames.iter().chain([&flooded])),
        on(B).sent(wire::at(B, &sent)).coalesced(3),
        on(C).sent([&flooded]),
        on(D).sent([&flooded]),
    ]);
}

#[test]
fn other_protocols_need_not_wait() {
    let mut bench = bench();
    let frames = numbered(&udp(V4, ALICE, BOB, 100), 3);
    let ping = echo(V4, true, ALICE, BOB, 56);
    bench.burst([
        (A, &frames[0]),
        (A, &frames[1]),
        (A, &ping),
        (A, &frames[2]),
    ]);
    let sent = bench.sent_at(B);
    assert_eq!(sent[0], ping);
    assert_same_stream(&sent[1..], &frames);
    bench.assert_counted([
        on(A).received(&frames).received([&ping]),
        on(B).sent(&sent).coalesced(3),
    ]);
}

#[test]
fn a_port_gets_trains_only_of_kinds_that_it_takes() {
    let all = Capabilities::ALL;
    let kinds = [
        (
            "TCP over IPv4",
            tcp(V4, ALICE, BOB, 0),
            Capabilities { tso4: false, ..all },
        ),
        (
            "TCP over IPv6",
            tcp(V6, ALICE, BOB, 0),
            Capabilities { tso6: false, ..all },
        ),
        (
            "UDP",
            udp(V4, ALICE, BOB, 0),
            Capabilities { uso: false, ..all },
        ),
        (
            "no checksums",
            udp(V6, ALICE, BOB, 0),
            Capabilities {
                checksum: false,
                ..all
            },
        ),
        ("nothing", tcp(V4, ALICE, BOB, 0), Capabilities::NONE),
    ];
    for (name, packet, capabilities) in kinds {
        println!("{name}");
        let mut bench = bench();
        bench.edit_port(B, |port| port.capabilities = capabilities);
        let frames: Vec<_> = (0..4)
            .map(|n| {
                let next = |tcp: &mut etherparse::TcpHeader| {
                    tcp.sequence_number = tcp.sequence_number.wrapping_add(n * 300);
                };
                packet
                    .clone()
                    .data([7; 300])
                    .tcp_header(next)
                    .complete()
                    .verified()
            })
            .collect();
        bench.burst(frames.iter().map(|frame| (A, frame)));
        bench.assert_sent(frames.iter().map(|frame| (B, frame)));
        bench.assert_counted([on(A).received(&frames), on(B).sent(&frames)]);
    }
}

#[test]
fn more_flows_than_trains_keep_their_order() {
    let mut bench = bench();
    let flows: Vec<_> = (0..40)
        .map(|n| udp(V4, ALICE, BOB, 60).ports(1000 + n, 53))
        .collect();
    let flows: Vec<_> = flows.iter().map(|flow| numbered(flow, 3)).collect();
    let mixed: Vec<_> = (0..3)
        .flat_map(|n| flows.iter().map(move |flow| &flow[n]))
        .collect();
    // More than one burst's worth.
    bench.burst(mixed.iter().map(|frame| (A, *frame)));
    let sent = bench.sent_at(B);
    let stream = wire::stream(&sent);
    for flow in &flows {
        let flow = wire::stream(flow);
        let came: Vec<_> = stream
            .iter()
            .filter(|p| p[34..36] == flow[0][34..36])
            .collect();
        assert_eq!(came, flow.iter().collect::<Vec<_>>());
    }
    let joined = sent
        .iter()
        .filter(|s| s.is_super())
        .map(TapFrame::segments)
        .sum();
    bench.assert_counted([on(A).received(mixed), on(B).sent(&sent).coalesced(joined)]);
}
